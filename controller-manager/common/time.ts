/** The form in which Kubernetes stores times: RFC 3339 in UTC with whole seconds. `now` is milliseconds. */
export const timestamp = (now: number): string => `${new Date(now).toISOString().slice(0, 19)}Z`;

/** Milliseconds since the epoch of a stored time; undefined if it is absent or not a time. */
export function millisecondsOf(time: string | undefined): number | undefined {
  if (!time) return undefined;
  const value = Date.parse(time);
  return Number.isNaN(value) ? undefined : value;
}
