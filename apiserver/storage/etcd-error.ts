/** Codes of gRPC that matter here. https://grpc.io/docs/guides/status-codes/ */
export const GrpcCode = {
  ok: 0,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  outOfRange: 11,
  unavailable: 14,
} as const;

/** A call to the store failed. */
export class EtcdError extends Error {
  override name = 'EtcdError';
  /** The gRPC status code. */
  readonly code: number;
  /** The request may have reached the store: a write may have happened. */
  readonly ambiguous: boolean;

  constructor(code: number, message: string, ambiguous: boolean) {
    super(message);
    this.code = code;
    this.ambiguous = ambiguous;
  }
}

/** Whether the revision asked for was compacted away. */
export const isCompacted = (error: unknown): boolean =>
  error instanceof EtcdError && error.code === GrpcCode.outOfRange && error.message.includes('compacted');
