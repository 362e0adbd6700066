import { ErrorCode } from './frame.ts';

/** What a stream needs of its connection. */
export interface StreamHost {
  sendHeaders(stream: Http2Stream, block: Buffer, endStream: boolean): void;
  /** Sends data whole, copied or as they are; false, and nothing is sent, when the windows do not allow it. */
  sendNow(stream: Http2Stream, parts: readonly Buffer[], size: number): boolean;
  /** Sends as much of the stream's queue as the windows allow. */
  sendQueued(stream: Http2Stream): void;
  sendReset(stream: Http2Stream, code: ErrorCode): void;
  /** Calls the stream's `afterSend` when the socket takes more. */
  waitForDrain(stream: Http2Stream): void;
  /** The stream's last part is out, or it was reset. */
  forget(stream: Http2Stream): void;
  /** Whether the socket takes more without buffering much. */
  readonly congested: boolean;
}

/** How an application hears of a stream. Nothing is called after `onClose`. */
export interface StreamListener {
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** Over for good; `clean` is false when the peer reset the stream or the connection was lost. */
  onClose(clean: boolean): void;
  onDrain(): void;
}

/**
 * One request and its response.
 * Invariant: frames of the response leave in the order headers, data, trailers; trailers wait for data that
 * flow control holds back.
 */
export class Http2Stream {
  readonly id: number;
  readonly headers: Record<string, string>;
  listener: StreamListener | undefined;
  /** Bytes the peer is ready to take. */
  sendWindow: number;
  /** Bytes we have received and not yet given back to the peer. */
  received = 0;
  remoteClosed = false;
  closed = false;
  /** Told by {@link write} to stop; it is owed an `onDrain`. */
  waitsForDrain = false;
  readonly queue: Buffer[] = [];
  queuedBytes = 0;
  private trailers: Buffer | undefined;
  private readonly host: StreamHost;

  constructor(host: StreamHost, options: { id: number; headers: Record<string, string>; window: number }) {
    this.host = host;
    this.id = options.id;
    this.headers = options.headers;
    this.sendWindow = options.window;
  }

  /** Sends an encoded header block; with `endStream` it is the whole response. */
  respond(block: Buffer, endStream: boolean): void {
    if (this.closed) return;
    this.host.sendHeaders(this, block, endStream);
    if (endStream) this.finish();
  }

  /** Sends or queues data, in parts. False when the peer or the socket is slower; `onDrain` will follow. */
  write(parts: readonly Buffer[]): boolean {
    if (this.closed) return true;
    let size = 0;
    for (const part of parts) size += part.length;
    if (this.queue.length > 0 || !this.host.sendNow(this, parts, size)) {
      this.queue.push(...parts);
      this.queuedBytes += size;
      this.host.sendQueued(this);
    }
    this.waitsForDrain = this.queuedBytes > 0 || this.host.congested;
    if (this.waitsForDrain) this.host.waitForDrain(this);
    return !this.waitsForDrain;
  }

  /** Ends the response with an encoded block of trailers, after what is queued. */
  end(trailers: Buffer): void {
    if (this.closed) return;
    this.trailers = trailers;
    this.host.sendQueued(this);
    this.afterSend();
  }

  /** For the connection: some of the queue has left. */
  afterSend(): void {
    if (this.queuedBytes > 0 || this.closed) return;
    if (this.trailers) {
      this.host.sendHeaders(this, this.trailers, true);
      this.finish();
    } else if (this.waitsForDrain && !this.host.congested) {
      this.waitsForDrain = false;
      this.listener?.onDrain();
    }
  }

  private finish(): void {
    // The client may still be sending; it is told that nobody listens.
    if (!this.remoteClosed) this.host.sendReset(this, ErrorCode.noError);
    this.close(true);
  }

  /** Gives the stream up. */
  reset(code: ErrorCode): void {
    if (this.closed) return;
    this.host.sendReset(this, code);
    this.close(false);
  }

  /** For the connection: the stream is over. */
  close(clean: boolean): void {
    if (this.closed) return;
    this.closed = true;
    this.queue.length = 0;
    this.queuedBytes = 0;
    this.host.forget(this);
    this.listener?.onClose(clean);
  }
}
