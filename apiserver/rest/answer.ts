/** A complete answer, ready to be sent. */
export interface Answer {
  code: number;
  contentType: string;
  body: Buffer;
  headers?: Record<string, string>;
}

export const json = (code: number, value: unknown): Answer => ({
  code,
  contentType: 'application/json',
  body: Buffer.from(JSON.stringify(value)),
});

export const text = (code: number, body: string): Answer => ({
  code,
  contentType: 'text/plain; charset=utf-8',
  body: Buffer.from(body),
});
