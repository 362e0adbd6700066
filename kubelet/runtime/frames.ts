import type { Readable } from 'node:stream';

const headerLength = 8;

/**
 * Takes apart Docker's framed stream of a process without a TTY: each frame is a channel byte, three zeros,
 * a big-endian length and that many bytes. Payloads are passed on as they come, without waiting for whole frames.
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
 */
export class FrameDecoder {
  #header: Buffer = Buffer.alloc(0);
  #left = 0;
  #channel: 'stdout' | 'stderr' = 'stdout';
  readonly #write: (channel: 'stdout' | 'stderr', chunk: Buffer) => void;

  constructor(write: (channel: 'stdout' | 'stderr', chunk: Buffer) => void) {
    this.#write = write;
  }

  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#left > 0) {
        const payload = rest.subarray(0, this.#left);
        this.#left -= payload.length;
        rest = rest.subarray(payload.length);
        this.#write(this.#channel, payload);
        continue;
      }
      const missing = headerLength - this.#header.length;
      this.#header = Buffer.concat([this.#header, rest.subarray(0, missing)]);
      rest = rest.subarray(missing);
      if (this.#header.length < headerLength) return;
      this.#channel = this.#header[0] === 2 ? 'stderr' : 'stdout';
      this.#left = this.#header.readUInt32BE(4);
      this.#header = Buffer.alloc(0);
    }
  }
}

/** Runs a whole stream through a {@link FrameDecoder}; resolves at its end, rejects on its error. */
export async function demuxFrames(
  stream: Readable,
  write: (channel: 'stdout' | 'stderr', chunk: Buffer) => void,
): Promise<void> {
  const decoder = new FrameDecoder(write);
  for await (const chunk of stream) decoder.push(chunk as Buffer);
}
