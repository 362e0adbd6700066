import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import { type Codec, DecodeError } from '../../api/etcd/codec.ts';
import { FrameReader, frameHeaderSize, sealFrame } from './frames.ts';
import type { BidiStream, Method } from './service.ts';
import { Code, encodeMessage, GrpcError, parseTimeout } from './status.ts';

export interface CallOptions {
  maxMessageSize: number;
  /** Told once when the call is over. */
  onFinished(code: Code): void;
  /** Told of an error that is not a {@link GrpcError}: a fault of ours. */
  onFault(error: unknown): void;
}

const responseHeaders = {
  ':status': 200,
  'content-type': 'application/grpc',
  'grpc-accept-encoding': 'identity,gzip',
};

/**
 * One gRPC call on one HTTP/2 stream.
 * Invariant: exactly one status is sent, as trailers, or together with the headers when nothing was written.
 */
export class Call implements BidiStream<unknown, unknown> {
  requestSize = 0;
  private readonly stream: ServerHttp2Stream;
  private readonly codec: Codec<unknown>;
  private readonly options: CallOptions;
  private readonly reader: FrameReader;
  private deadline: NodeJS.Timeout | undefined;
  private responded = false;
  private finished = false;
  private status: Record<string, string> = {};
  private cancelled: (() => void)[] = [];
  private received: ((message: unknown) => void) | undefined;
  private ended: (() => void) | undefined;
  private drained: (() => void) | undefined;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, method: Method, options: CallOptions) {
    this.stream = stream;
    this.codec = method.response;
    this.options = options;
    this.reader = new FrameReader(options.maxMessageSize, headers['grpc-encoding'] as string | undefined);
    stream.on('error', () => this.cancel());
    stream.on('close', () => this.cancel());
    const timeout = headers['grpc-timeout'];
    if (typeof timeout === 'string') this.setDeadline(timeout);
    if (!this.finished) this.run(method);
  }

  onCancel(callback: () => void): void {
    this.cancelled.push(callback);
  }

  onMessage(callback: (message: unknown) => void): void {
    this.received = callback;
  }

  onEnd(callback: () => void): void {
    this.ended = callback;
  }

  onDrain(callback: () => void): void {
    this.drained = callback;
  }

  write(message: object): boolean {
    if (this.finished || this.stream.destroyed) return true;
    this.respond();
    return this.stream.write(sealFrame(this.codec.encode(message, frameHeaderSize)));
  }

  end(error?: unknown): void {
    if (this.finished) return;
    const failure = error === undefined ? undefined : this.failure(error);
    this.finish(failure?.code ?? Code.ok);
    if (this.stream.destroyed) return;
    this.setStatus(failure);
    if (this.responded) {
      this.stream.end();
      return;
    }
    this.stream.respond({ ...responseHeaders, ...this.status }, { endStream: true });
  }

  /** Ends a unary call: headers, message and trailers leave together. */
  private answer(message: object): void {
    if (this.finished) return;
    const frame = sealFrame(this.codec.encode(message, frameHeaderSize));
    this.finish(Code.ok);
    if (this.stream.destroyed) return;
    this.setStatus(undefined);
    this.respond();
    this.stream.end(frame);
  }

  private setStatus(failure: GrpcError | undefined): void {
    this.status = { 'grpc-status': String(failure?.code ?? 0) };
    if (failure) this.status['grpc-message'] = encodeMessage(failure.message);
  }

  private respond(): void {
    if (this.responded) return;
    this.responded = true;
    this.stream.on('wantTrailers', () => this.stream.sendTrailers(this.status));
    this.stream.respond(responseHeaders, { waitForTrailers: true });
  }

  private setDeadline(timeout: string): void {
    const ms = parseTimeout(timeout);
    if (ms === undefined) {
      this.end(new GrpcError(Code.internal, `malformed grpc-timeout: ${timeout}`));
      return;
    }
    // Longer than a timer can hold is as good as none.
    if (ms > 0x7fffffff) return;
    this.deadline = setTimeout(() => {
      this.end(new GrpcError(Code.deadlineExceeded, 'context deadline exceeded'));
      this.notifyCancelled();
    }, ms);
    this.deadline.unref();
  }

  private finish(code: Code): void {
    this.finished = true;
    clearTimeout(this.deadline);
    this.options.onFinished(code);
  }

  private cancel(): void {
    if (!this.finished) this.finish(Code.canceled);
    this.notifyCancelled();
  }

  private notifyCancelled(): void {
    const callbacks = this.cancelled;
    this.cancelled = [];
    for (const callback of callbacks) callback();
  }

  private failure(error: unknown): GrpcError {
    if (error instanceof GrpcError) return error;
    if (error instanceof DecodeError)
      return new GrpcError(Code.internal, `grpc: error unmarshalling request: ${error.message}`);
    this.options.onFault(error);
    return new GrpcError(Code.internal, 'internal error');
  }

  private run(method: Method): void {
    const { stream } = this;
    const messages: unknown[] = [];
    if (method.kind === 'bidi') {
      this.guard(() => method.handle(this));
      stream.on('drain', () => this.guard(() => this.drained?.()));
    }
    stream.on('data', (chunk: Buffer) =>
      this.guard(() =>
        this.reader.push(chunk, (bytes) => {
          this.requestSize = bytes.length;
          const message = method.request.decode(bytes);
          if (method.kind === 'bidi') this.received?.(message);
          else messages.push(message);
        }),
      ),
    );
    stream.on('end', () =>
      this.guard(() => {
        if (!this.reader.whole) throw new GrpcError(Code.internal, 'unexpected EOF');
        if (method.kind === 'bidi') this.ended?.();
        else if (messages.length !== 1)
          throw new GrpcError(Code.internal, `expected one request message, got ${messages.length}`);
        else if (method.kind === 'server-stream') {
          stream.on('drain', () => this.guard(() => this.drained?.()));
          method.handle(messages[0], this);
        } else {
          const reply = method.handle(messages[0], this);
          if (reply instanceof Promise)
            reply.then(
              (value) => this.guard(() => this.answer(value as object)),
              (error: unknown) => this.end(error),
            );
          else this.answer(reply as object);
        }
      }),
    );
  }

  /** After an error the rest of the request is of no interest, but must not stay in the flow control window. */
  private guard(step: () => void): void {
    if (this.finished) return;
    try {
      step();
    } catch (error) {
      this.end(error);
      if (!this.stream.destroyed) this.stream.close(constants.NGHTTP2_NO_ERROR);
    }
  }
}
