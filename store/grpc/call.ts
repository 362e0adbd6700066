import { type Codec, DecodeError } from '../../api/etcd/codec.ts';
import { encodeHeaders } from '../http2/hpack.ts';
import type { Http2Stream, StreamListener } from '../http2/stream.ts';
import { type Frame, FrameReader, frameHeaderSize, sealFrame } from './frames.ts';
import type { BidiStream, Method } from './service.ts';
import { Code, encodeMessage, GrpcError, parseTimeout } from './status.ts';

export interface CallOptions {
  maxMessageSize: number;
  /** Told once when the call is over. */
  onFinished(code: Code): void;
  /** Told of an error that is not a {@link GrpcError}: a fault of ours. */
  onFault(error: unknown): void;
}

const headerFields: readonly (readonly [string, string])[] = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
  ['grpc-accept-encoding', 'identity,gzip'],
];
const headerBlock = encodeHeaders(headerFields);
const okTrailers = encodeHeaders([['grpc-status', '0']]);

function trailerFields({ code, message }: GrpcError): readonly (readonly [string, string])[] {
  return [
    ['grpc-status', String(code)],
    ['grpc-message', encodeMessage(message)],
  ];
}

/** Answers with a status and nothing else. */
export function refuse(stream: Http2Stream, error: GrpcError): void {
  stream.respond(encodeHeaders([...headerFields, ...trailerFields(error)]), true);
}

/**
 * One gRPC call on one HTTP/2 stream: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 * Invariant: exactly one status is sent, as trailers, or together with the headers when nothing was written.
 */
export class Call implements BidiStream<unknown, unknown>, StreamListener {
  requestSize = 0;
  private readonly stream: Http2Stream;
  private readonly method: Method;
  private readonly codec: Codec<unknown>;
  private readonly options: CallOptions;
  private readonly reader: FrameReader;
  private deadline: NodeJS.Timeout | undefined;
  private responded = false;
  private finished = false;
  private readonly messages: unknown[] = [];
  private cancelled: (() => void)[] = [];
  private received: ((message: unknown) => void) | undefined;
  private ended: (() => void) | undefined;
  private drained: (() => void) | undefined;

  constructor(stream: Http2Stream, method: Method, options: CallOptions) {
    this.stream = stream;
    this.method = method;
    this.codec = method.response;
    this.options = options;
    this.reader = new FrameReader(options.maxMessageSize, stream.headers['grpc-encoding']);
    stream.listener = this;
    const timeout = stream.headers['grpc-timeout'];
    if (timeout !== undefined) this.setDeadline(timeout);
    if (method.kind === 'bidi') this.guard(() => method.handle(this));
  }

  // ---- for handlers -------------------------------------------------------------------------------------

  onCancel(callback: () => void): void {
    this.cancelled.push(callback);
  }

  onMessage(callback: (message: unknown) => void): void {
    this.received = callback;
  }

  onEnd(callback?: () => void): void {
    if (callback) this.ended = callback;
    else this.guard(() => this.requestEnded());
  }

  onDrain(callback?: () => void): void {
    if (callback) this.drained = callback;
    else this.guard(() => this.drained?.());
  }

  write(message: object): boolean {
    return this.finished || this.writeFrame([this.codec.encode(message, frameHeaderSize)]);
  }

  writeFrame(frame: Frame): boolean {
    if (this.finished) return true;
    this.respond();
    return this.stream.write(sealFrame(frame));
  }

  end(error?: unknown): void {
    if (this.finished) return;
    const failure = error === undefined ? undefined : this.failure(error);
    this.finish(failure?.code ?? Code.ok);
    if (!failure) {
      this.respond();
      this.stream.end(okTrailers);
    } else if (this.responded) this.stream.end(encodeHeaders(trailerFields(failure)));
    else refuse(this.stream, failure);
  }

  /** Ends a unary call: headers, message and trailers leave together. */
  private answer(message: object): void {
    if (this.finished) return;
    const frame = sealFrame([this.codec.encode(message, frameHeaderSize)]);
    this.finish(Code.ok);
    this.respond();
    this.stream.write(frame);
    this.stream.end(okTrailers);
  }

  private respond(): void {
    if (this.responded) return;
    this.responded = true;
    this.stream.respond(headerBlock, false);
  }

  private setDeadline(timeout: string): void {
    const ms = parseTimeout(timeout);
    if (ms === undefined) {
      this.end(new GrpcError(Code.internal, `malformed grpc-timeout: ${timeout}`));
      return;
    }
    // Longer than a timer can hold is as good as none.
    if (ms > 0x7fffffff) return;
    this.deadline = setTimeout(
      () => this.end(new GrpcError(Code.deadlineExceeded, 'context deadline exceeded')),
      ms,
    );
    this.deadline.unref();
  }

  private finish(code: Code): void {
    this.finished = true;
    clearTimeout(this.deadline);
    this.options.onFinished(code);
  }

  private failure(error: unknown): GrpcError {
    if (error instanceof GrpcError) return error;
    if (error instanceof DecodeError)
      return new GrpcError(Code.internal, `grpc: error unmarshalling request: ${error.message}`);
    this.options.onFault(error);
    return new GrpcError(Code.internal, 'internal error');
  }

  // ---- for the stream -----------------------------------------------------------------------------------

  onData(chunk: Buffer): void {
    this.guard(() =>
      this.reader.push(chunk, (bytes) => {
        if (this.finished) return;
        this.requestSize = bytes.length;
        const message = this.method.request.decode(bytes);
        if (this.method.kind === 'bidi') this.received?.(message);
        else this.messages.push(message);
      }),
    );
  }

  onClose(): void {
    if (!this.finished) this.finish(Code.canceled);
    const callbacks = this.cancelled;
    this.cancelled = [];
    for (const callback of callbacks) callback();
  }

  private requestEnded(): void {
    const { method, messages } = this;
    if (!this.reader.whole) throw new GrpcError(Code.internal, 'unexpected EOF');
    if (method.kind === 'bidi') {
      this.ended?.();
      return;
    }
    if (messages.length !== 1)
      throw new GrpcError(Code.internal, `expected one request message, got ${messages.length}`);
    if (method.kind === 'server-stream') {
      method.handle(messages[0], this);
      return;
    }
    const reply = method.handle(messages[0], this);
    if (reply instanceof Promise)
      reply.then(
        (value) => this.guard(() => this.answer(value as object)),
        (error: unknown) => this.end(error),
      );
    else this.answer(reply as object);
  }

  private guard(step: () => void): void {
    if (this.finished) return;
    try {
      step();
    } catch (error) {
      this.end(error);
    }
  }
}
