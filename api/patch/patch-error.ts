/** A patch that cannot be read (400) or cannot be applied (422). The message is worded as Kubernetes words it. */
export class PatchError extends Error {
  override name = 'PatchError';
  readonly code: 400 | 413 | 422;

  constructor(code: 400 | 413 | 422, message: string) {
    super(message);
    this.code = code;
  }
}

export type JSONObject = Record<string, unknown>;

export const isObject = (value: unknown): value is JSONObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
