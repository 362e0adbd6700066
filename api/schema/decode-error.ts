/** The body is not what the schema wants. The message is worded as Kubernetes words it and is meant for a 400 answer. */
export class DecodeError extends Error {
  override name = 'DecodeError';
}
