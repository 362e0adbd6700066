import { NotFoundError, RuntimeUnavailableError } from './types.ts';

/** The engine refused a request: `message` is the engine's own words. */
export class EngineError extends Error {
  override name = 'EngineError';
  readonly statusCode: number;
  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

const unreachable = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE', 'EACCES', 'ETIMEDOUT']);

/** Sorts what dockerode throws into the error classes of the runtime interface. */
export function classify(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if ('statusCode' in error && typeof error.statusCode === 'number') {
    const json = 'json' in error ? (error.json as { message?: unknown } | null) : null;
    const message = typeof json?.message === 'string' ? json.message.trim() : error.message.trim();
    if (error.statusCode === 404) return new NotFoundError(message);
    return new EngineError(error.statusCode, message);
  }
  if ('code' in error && typeof error.code === 'string' && unreachable.has(error.code))
    return new RuntimeUnavailableError(`container runtime is down: ${error.message}`);
  return error;
}

/** Runs a call to the engine with its errors classified. */
export async function engine<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw classify(error);
  }
}

/** Runs a call for which "already gone" (404) and "already so" (304, removal under way 409) are success. */
export async function settled(call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (raw) {
    const error = classify(raw);
    if (error instanceof NotFoundError) return;
    if (error instanceof EngineError && error.statusCode === 304) return;
    if (
      error instanceof EngineError &&
      error.statusCode === 409 &&
      /already in progress|is not running/.test(error.message)
    )
      return;
    throw error;
  }
}
