import type { Status } from '../api/object.ts';

/** An answer of the apiserver other than success, as the `Status` object it sent. */
export class StatusError extends Error {
  override name = 'StatusError';
  readonly status: Status;

  constructor(status: Status) {
    super(status.message ?? `the server answered ${status.code}`);
    this.status = status;
  }

  /** HTTP status code. */
  get code(): number {
    return this.status.code;
  }

  /** `NotFound`, `AlreadyExists`, `Conflict`, … or empty. */
  get reason(): string {
    return this.status.reason ?? '';
  }
}

const hasReason =
  (...reasons: string[]) =>
  (error: unknown): error is StatusError =>
    error instanceof StatusError && reasons.includes(error.reason);

export const isNotFound = hasReason('NotFound');
export const isAlreadyExists = hasReason('AlreadyExists');
export const isConflict = hasReason('Conflict');
export const isForbidden = hasReason('Forbidden');
export const isInvalid = hasReason('Invalid');
/** The asked resourceVersion or continue token is too old: list again. */
export const isExpired = hasReason('Expired', 'Gone');

/** Builds the error from a response body: a Status if it is one, else one made from the HTTP code. */
export function statusErrorFrom(code: number, body: string): StatusError {
  try {
    const parsed = JSON.parse(body) as Status;
    if (parsed?.kind === 'Status') return new StatusError({ ...parsed, code: parsed.code ?? code });
  } catch {
    // Not JSON: a proxy or a plain-text answer; its text is the best message there is.
  }
  return new StatusError({
    apiVersion: 'v1',
    kind: 'Status',
    metadata: {},
    status: 'Failure',
    message: body.trim().slice(0, 1024) || `the server answered ${code}`,
    code,
  });
}
