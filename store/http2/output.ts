import { FrameType, frameHeaderSize, writeFrameHeader } from './frame.ts';

/** A payload of so many bytes is not worth copying. */
const largeBytes = 8 * 1024;
const emptyBuffer = Buffer.alloc(0);

/** Memory for frames on their way out, in chunks of one size, of which some are kept for use again. */
interface Pool {
  bytes: number;
  keep: number;
  spare: Buffer[];
}

/**
 * Without pools every response is garbage outside of the JavaScript heap. What most connections send in a turn fits
 * into a small chunk, and there may be hundreds of them.
 */
const small: Pool = { bytes: 4 * 1024, keep: 1024, spare: [] };
const large: Pool = { bytes: 64 * 1024, keep: 64, spare: [] };

/** What {@link Output.take} hands out: to be written in order, and given back when it is. */
export interface Outgoing {
  pieces: readonly Buffer[];
  chunks: readonly Buffer[];
}

/** For chunks whose bytes have left; those of a connection that broke are not given back. */
export function giveBack(chunks: readonly Buffer[]): void {
  for (const chunk of chunks) {
    const { keep, spare } = chunk.length === small.bytes ? small : large;
    if (spare.length < keep) spare.push(chunk);
  }
}

/** Gathers the frames that leave a connection together. */
export class Output {
  /** Bytes gathered. */
  length = 0;
  private pieces: Buffer[] = [];
  private chunks: Buffer[] = [];
  private chunk: Buffer = emptyBuffer;
  /** Where the part of the chunk begins that is not among the pieces yet, and where it ends. */
  private start = 0;
  private end = 0;
  /** The DATA frame that the chunk ends with; data of the same stream go on in it. */
  private open: { streamId: number; at: number; length: number } | undefined;

  /** A whole frame. */
  frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    this.header({ type, flags, streamId, length: payload.length });
    this.append(payload);
    this.open = undefined;
  }

  /** Data, in frames of at most `limit` bytes, which `size`, the length of all parts, is within. */
  data(streamId: number, parts: readonly Buffer[], { size, limit }: { size: number; limit: number }): void {
    const { open } = this;
    if (open?.streamId === streamId && open.length + size <= limit && this.end + size <= this.chunk.length) {
      open.length += size;
      this.chunk.writeUIntBE(open.length, open.at, 3);
    } else {
      this.header({ type: FrameType.data, flags: 0, streamId, length: size });
      this.open = { streamId, at: this.end - frameHeaderSize, length: size };
    }
    for (const part of parts) this.append(part);
  }

  private header(header: { length: number; type: number; flags: number; streamId: number }): void {
    // A small frame is not divided between chunks, so that data can be added to it.
    const room = frameHeaderSize + (header.length < largeBytes ? header.length : 0);
    if (this.end + room > this.chunk.length) this.nextChunk(room);
    writeFrameHeader(this.chunk, header, this.end);
    this.end += frameHeaderSize;
    this.length += frameHeaderSize;
  }

  private append(bytes: Buffer): void {
    this.length += bytes.length;
    if (bytes.length >= largeBytes) {
      this.finishPiece();
      this.pieces.push(bytes);
      this.open = undefined;
      return;
    }
    if (this.end + bytes.length > this.chunk.length) {
      this.nextChunk(bytes.length);
      this.open = undefined;
    }
    this.chunk.set(bytes, this.end);
    this.end += bytes.length;
  }

  private nextChunk(needed: number): void {
    this.finishPiece();
    const { spare, bytes } = this.chunks.length === 0 && needed <= small.bytes ? small : large;
    this.chunk = spare.pop() ?? Buffer.allocUnsafeSlow(bytes);
    this.chunks.push(this.chunk);
    this.start = 0;
    this.end = 0;
  }

  private finishPiece(): void {
    if (this.end > this.start) this.pieces.push(this.chunk.subarray(this.start, this.end));
    this.start = this.end;
  }

  /** All that was gathered. */
  take(): Outgoing {
    this.finishPiece();
    const { pieces, chunks } = this;
    this.pieces = [];
    this.chunks = [];
    this.chunk = emptyBuffer;
    this.start = 0;
    this.end = 0;
    this.length = 0;
    this.open = undefined;
    return { pieces, chunks };
  }
}
