/** Frame types and layouts: SPDY draft 3.1, section 2.6. Numbers are big-endian. */
export const controlType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const flagFin = 1;

/** `RST_STREAM` status codes that we send. */
export const resetStatus = { protocolError: 1, invalidStream: 2, refusedStream: 3, cancel: 5 } as const;

/** A whole control frame, or a part of a data frame: the last part carries `fin` if the frame does. */
export type Frame =
  | { kind: 'control'; version: number; type: number; flags: number; payload: Buffer }
  | { kind: 'data'; streamId: number; fin: boolean; data: Buffer };

/** Longest control frame that is accepted, in bytes. Ours are headers of a few dozen. */
const longestControl = 64 * 1024;

/** The peer does not speak SPDY/3.1. */
export class SpdyProtocolError extends Error {
  override name = 'SpdyProtocolError';
}

/**
 * Takes bytes as they come and gives frames in order. Data frames are passed on in the parts in which they
 * arrive, so that a long one is never held in memory.
 */
export class FrameParser {
  #pending: Buffer = Buffer.alloc(0);
  #data: { streamId: number; fin: boolean; left: number } | undefined;

  /** @throws {SpdyProtocolError} for a control frame over 64 KiB. */
  *push(chunk: Buffer): Generator<Frame> {
    let rest = this.#pending.length ? Buffer.concat([this.#pending, chunk]) : chunk;
    while (rest.length > 0) {
      if (this.#data) {
        const part = rest.subarray(0, this.#data.left);
        rest = rest.subarray(part.length);
        yield this.#partOfData(part);
        continue;
      }
      if (rest.length < 8) break;
      const length = rest.readUInt32BE(4) & 0xffffff;
      const first = rest.readUInt32BE(0);
      const flags = rest[4]!;
      if (first < 0x80000000) {
        this.#data = { streamId: first, fin: (flags & flagFin) !== 0, left: length };
        rest = rest.subarray(8);
        if (length === 0) yield this.#partOfData(rest.subarray(0, 0));
        continue;
      }
      if (length > longestControl) throw new SpdyProtocolError(`control frame of ${length} bytes`);
      if (rest.length < 8 + length) break;
      const payload = rest.subarray(8, 8 + length);
      rest = rest.subarray(8 + length);
      yield { kind: 'control', version: (first >>> 16) & 0x7fff, type: first & 0xffff, flags, payload };
    }
    this.#pending = rest;
  }

  #partOfData(data: Buffer): Frame {
    const frame = this.#data!;
    frame.left -= data.length;
    const last = frame.left === 0;
    if (last) this.#data = undefined;
    return { kind: 'data', streamId: frame.streamId, fin: last && frame.fin, data };
  }
}

/** The eight bytes before the payload of a data frame. */
export function dataHeader(streamId: number, length: number, fin: boolean): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(streamId, 0);
  header.writeUInt32BE(length, 4);
  header[4] = fin ? flagFin : 0;
  return header;
}

export function controlFrame(type: number, flags: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(0x8003, 0);
  header.writeUInt16BE(type, 2);
  header.writeUInt32BE(payload.length, 4);
  header[4] = flags;
  return Buffer.concat([header, payload]);
}

/** 32-bit numbers one after the other: the payload of most control frames. */
export function words(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, i) => {
    bytes.writeUInt32BE(number, 4 * i);
  });
  return bytes;
}
