import type { Duplex } from 'node:stream';
import {
  controlFrame,
  controlType,
  dataHeader,
  type Frame,
  FrameParser,
  flagFin,
  resetStatus,
  SpdyProtocolError,
  words,
} from './frames.ts';
import { HeaderReader, HeaderWriter } from './headers.ts';
import { SpdyStream, type SpdyTransport } from './stream.ts';

/** Streams that a peer may have open at once: a port-forward has two for each connection. */
const mostStreams = 2048;
const closeTimeoutMs = 10_000;

/**
 * The serving end of a SPDY/3.1 connection as Kubernetes clients use it: no flow control windows (their library,
 * moby/spdystream, has none; a stream that is not read holds up the whole connection), streams opened by the
 * peer only. Invariant: frames are handled one at a time, in order.
 */
export class SpdyConnection implements SpdyTransport {
  readonly #socket: Duplex;
  readonly #onStream: (stream: SpdyStream) => void;
  readonly #streams = new Map<number, SpdyStream>();
  /** While reading stands still, the peer's going away shows only when we write: so write now and then. */
  readonly #pingWhileBlockedMs: number;
  readonly #parser = new FrameParser();
  readonly #headerReader = new HeaderReader();
  readonly #headerWriter = new HeaderWriter();
  readonly #closed = new AbortController();
  #lastStream = 0;
  #pings = 0;

  /** `onStream` is called for each stream in the order of their opening. */
  constructor(
    socket: Duplex,
    onStream: (stream: SpdyStream) => void,
    { pingWhileBlockedMs = 10_000 }: { pingWhileBlockedMs?: number } = {},
  ) {
    this.#socket = socket;
    this.#pingWhileBlockedMs = pingWhileBlockedMs;
    this.#onStream = onStream;
    // The loop that reads may be held up by a stream just then.
    socket.once('close', () => this.#finish());
    void this.#serve();
  }

  /** Aborts when the connection is over, whoever ended it. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Says goodbye and closes, after what was written. Streams that are still open end. */
  close(): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    this.#control(controlType.goAway, 0, words(this.#lastStream, 0));
    this.#finish();
    this.#end();
  }

  sendData(streamId: number, data: Buffer, fin: boolean, done: (error?: Error | null) => void): void {
    if (!this.#socket.writable) {
      done(new Error('connection closed'));
      return;
    }
    this.#socket.cork();
    const header = dataHeader(streamId, data.length, fin);
    if (data.length === 0) this.#socket.write(header, done);
    else {
      this.#socket.write(header);
      this.#socket.write(data, done);
    }
    this.#socket.uncork();
  }

  sendReset(streamId: number): void {
    this.#reset(streamId, resetStatus.cancel);
  }

  forget(streamId: number): void {
    this.#streams.delete(streamId);
  }

  async #serve(): Promise<void> {
    // An error ends the iteration below, too, or comes after it.
    this.#socket.on('error', () => undefined);
    try {
      for await (const chunk of this.#socket.iterator({ destroyOnReturn: false }))
        for (const frame of this.#parser.push(chunk as Buffer)) await this.#handle(frame);
    } catch (error) {
      if (error instanceof SpdyProtocolError)
        this.#control(controlType.goAway, 0, words(this.#lastStream, resetStatus.protocolError));
    }
    this.#finish();
    this.#end();
  }

  #end(): void {
    this.#socket.end();
    // A peer that does not close its side would keep the socket for ever.
    const timer = setTimeout(() => this.#socket.destroy(), closeTimeoutMs).unref();
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #finish(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    for (const stream of this.#streams.values()) stream.reset();
    this.#headerReader.close();
  }

  async #handle(frame: Frame): Promise<void> {
    if (frame.kind === 'data') return this.#receive(frame.streamId, frame.data, frame.fin);
    const { type, flags, payload } = frame;
    const id = payload.length >= 4 ? payload.readUInt32BE(0) & 0x7fffffff : 0;
    if (type === controlType.synStream) await this.#open(id, flags, payload);
    else if (type === controlType.headers) await this.#headerReader.read(payload.subarray(4));
    else if (type === controlType.rstStream) this.#streams.get(id)?.reset();
    // Answers to our own pings have even numbers.
    else if (type === controlType.ping && id % 2 === 1) this.#control(controlType.ping, 0, payload);
  }

  async #open(id: number, flags: number, payload: Buffer): Promise<void> {
    if (payload.length < 10) throw new SpdyProtocolError('SYN_STREAM is cut off');
    // Read even if the stream is refused: the blocks are one compressed stream.
    const headers = await this.#headerReader.read(payload.subarray(10));
    if (id % 2 === 0 || id <= this.#lastStream) return this.#reset(id, resetStatus.protocolError);
    this.#lastStream = id;
    if (this.#streams.size >= mostStreams) return this.#reset(id, resetStatus.refusedStream);
    if (this.closed.aborted) return;
    const stream = new SpdyStream(id, headers, this);
    stream.on('error', () => undefined);
    this.#streams.set(id, stream);
    this.#control(controlType.synReply, 0, Buffer.concat([words(id), this.#headerWriter.write({})]));
    if (flags & flagFin) stream.receive(Buffer.alloc(0), true);
    this.#onStream(stream);
  }

  async #receive(id: number, data: Buffer, fin: boolean): Promise<void> {
    const stream = this.#streams.get(id);
    // What is on its way to a stream that we closed is dropped.
    if (!stream) return;
    const room = stream.receive(data, fin);
    if (!room) return;
    const timer = setInterval(() => this.#ping(), this.#pingWhileBlockedMs);
    await room;
    clearInterval(timer);
  }

  #ping(): void {
    this.#pings += 2;
    this.#control(controlType.ping, 0, words(this.#pings));
  }

  #reset(id: number, status: number): void {
    this.#control(controlType.rstStream, 0, words(id, status));
  }

  #control(type: number, flags: number, payload: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(controlFrame(type, flags, payload));
  }
}
