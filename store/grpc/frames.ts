import { gunzipSync } from 'node:zlib';
import { Code, GrpcError } from './status.ts';

export const frameHeaderSize = 5;

/** A message behind {@link frameHeaderSize} bytes, in parts; the first holds at least these. */
export type Frame = readonly [Buffer, ...Buffer[]];

/** Fills a frame's header. Returns the frame. */
export function sealFrame<F extends Frame>(frame: F): F {
  const [first, ...rest] = frame;
  let size = first.length;
  for (const part of rest) size += part.length;
  first[0] = 0;
  first.writeUInt32BE(size - frameHeaderSize, 1);
  return frame;
}

/** Reads length-prefixed messages out of chunks that end anywhere. */
export class FrameReader {
  private readonly maxMessageSize: number;
  private readonly encoding: string | undefined;
  private rest: Buffer | undefined;
  /** Chunks of an unfinished message, joined once it is whole, so that a long message is copied once. */
  private waiting: Buffer[] = [];
  private missing = 0;

  constructor(maxMessageSize: number, encoding: string | undefined) {
    this.maxMessageSize = maxMessageSize;
    this.encoding = encoding;
  }

  /**
   * Calls `onMessage` with every message that `chunk` completes.
   * @throws {GrpcError} as grpc-go words it, for a message that is too large or cannot be decompressed.
   */
  push(chunk: Buffer, onMessage: (message: Buffer) => void): void {
    let data = chunk;
    if (this.missing > 0) {
      this.waiting.push(chunk);
      this.missing -= chunk.length;
      if (this.missing > 0) return;
      data = Buffer.concat(this.waiting);
      this.waiting = [];
      this.missing = 0;
    } else if (this.rest) {
      data = Buffer.concat([this.rest, chunk]);
      this.rest = undefined;
    }
    let position = 0;
    while (data.length - position >= frameHeaderSize) {
      const length = data.readUInt32BE(position + 1);
      if (length > this.maxMessageSize)
        throw new GrpcError(
          Code.resourceExhausted,
          `grpc: received message larger than max (${length} vs. ${this.maxMessageSize})`,
        );
      const start = position + frameHeaderSize;
      if (data.length - start < length) {
        this.waiting.push(data.subarray(position));
        this.missing = length - (data.length - start);
        return;
      }
      const message = data.subarray(start, start + length);
      position = start + length;
      onMessage(this.inflate(data[start - frameHeaderSize]!, message));
    }
    if (position < data.length) this.rest = data.subarray(position);
  }

  /** Whether the bytes so far end between two messages. */
  get whole(): boolean {
    return this.missing === 0 && !this.rest;
  }

  private inflate(flag: number, message: Buffer): Buffer {
    if (flag === 0) return message;
    if (this.encoding !== 'gzip')
      throw new GrpcError(
        Code.unimplemented,
        `grpc: Decompressor is not installed for grpc-encoding "${this.encoding ?? 'identity'}"`,
      );
    try {
      return gunzipSync(message, { maxOutputLength: this.maxMessageSize });
    } catch (error) {
      const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
      throw tooLarge
        ? new GrpcError(
            Code.resourceExhausted,
            `grpc: received message after decompression larger than max ${this.maxMessageSize}`,
          )
        : new GrpcError(Code.internal, 'grpc: failed to decompress the received message');
    }
  }
}
