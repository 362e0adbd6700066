import { Duplex } from 'node:stream';
import type { SpdyHeaders } from './headers.ts';

/** What a stream needs of its connection. */
export interface SpdyTransport {
  sendData(streamId: number, data: Buffer, fin: boolean, done: (error?: Error | null) => void): void;
  sendReset(streamId: number): void;
  forget(streamId: number): void;
}

/**
 * One stream of a SPDY connection. Ending it half-closes it; destroying it resets it unless both directions
 * have ended.
 */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #transport: SpdyTransport;
  #wanted: (() => void) | undefined;
  #peerReset = false;
  #peerEnded = false;

  constructor(id: number, headers: SpdyHeaders, transport: SpdyTransport) {
    super({ allowHalfOpen: true });
    this.id = id;
    this.headers = headers;
    this.#transport = transport;
  }

  /** Takes what the peer sent. If there is no room for more, a promise that resolves when there is. */
  receive(data: Buffer, fin: boolean): Promise<void> | undefined {
    if (this.destroyed || this.#peerEnded) return undefined;
    this.#peerEnded = fin;
    const room = data.length === 0 || this.push(data);
    if (fin) this.push(null);
    if (room || fin) return undefined;
    return new Promise<void>((resolve) => {
      this.#wanted = resolve;
    });
  }

  /** The peer gave the stream up. */
  reset(): void {
    this.#peerReset = true;
    this.destroy();
  }

  override _read(): void {
    this.#wanted?.();
    this.#wanted = undefined;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#transport.sendData(this.id, chunk, false, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#transport.sendData(this.id, Buffer.alloc(0), true, callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this._read();
    this.#transport.forget(this.id);
    if (!this.#peerReset && !(this.writableFinished && this.readableEnded))
      this.#transport.sendReset(this.id);
    callback(error);
  }
}
