/** True if a Docker Engine API call failed with this HTTP status (dockerode puts it on the error). */
export const hasStatus = (error: unknown, status: number): boolean =>
  error instanceof Error && 'statusCode' in error && error.statusCode === status;

/** What the engine itself says, without dockerode's `(HTTP code 404) no such image -` before it. */
export function engineMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const message = 'json' in error ? (error.json as { message?: unknown } | null)?.message : undefined;
  if (typeof message === 'string') return message.trim();
  return error.message.replace(/^\(HTTP code \d+\) [^-]* - /, '').trim();
}
