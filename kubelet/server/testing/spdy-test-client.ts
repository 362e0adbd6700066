import type { Duplex } from 'node:stream';
import { constants, createDeflate } from 'node:zlib';
import { headerDictionary } from '../spdy/dictionary.ts';
import { controlFrame, controlType, dataHeader, type Frame, FrameParser, words } from '../spdy/frames.ts';

/** A client as moby/spdystream: it compresses its headers with the dictionary. */
export class SpdyTestClient {
  readonly frames: Frame[] = [];
  readonly socket: Duplex;
  readonly #deflate = createDeflate({ dictionary: headerDictionary });
  #waiting: (() => void) | undefined;

  constructor(socket: Duplex) {
    this.socket = socket;
    const parser = new FrameParser();
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      this.frames.push(...parser.push(chunk));
      this.#waiting?.();
    });
    socket.on('close', () => this.#waiting?.());
  }

  async open(id: number, headers: Record<string, string>, flags = 0): Promise<void> {
    const entries = Object.entries(headers);
    const strings = entries.flat().flatMap((s) => [words(s.length), Buffer.from(s)]);
    this.#deflate.write(Buffer.concat([words(entries.length), ...strings]));
    await new Promise<void>((resolve) => this.#deflate.flush(constants.Z_SYNC_FLUSH, () => resolve()));
    const block: Buffer = this.#deflate.read();
    this.socket.write(
      controlFrame(controlType.synStream, flags, Buffer.concat([words(id, 0), Buffer.alloc(2), block])),
    );
  }

  data(id: number, data: string | Buffer, fin = false): void {
    const bytes = Buffer.from(data);
    this.socket.write(Buffer.concat([dataHeader(id, bytes.length, fin), bytes]));
  }

  /** The first frame that fits and was not given before. */
  async frame(fits: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const at = this.frames.findIndex(fits);
      if (at >= 0) return this.frames.splice(at, 1)[0]!;
      if (this.socket.destroyed) throw new Error('closed');
      await new Promise<void>((resolve) => (this.#waiting = resolve));
    }
  }
  control(type: number): Promise<Frame> {
    return this.frame((frame) => frame.kind === 'control' && frame.type === type);
  }

  /** All that comes on a stream until its end. */
  async text(streamId: number): Promise<string> {
    const parts: Buffer[] = [];
    for (;;) {
      const frame = await this.frame((one) => one.kind === 'data' && one.streamId === streamId);
      if (frame.kind !== 'data') continue;
      parts.push(frame.data);
      if (frame.fin) return Buffer.concat(parts).toString();
    }
  }
}
