/** An answer other than success; `message` is its text body. */
export class HttpError extends Error {
  override name = 'HttpError';
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
