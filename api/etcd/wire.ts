/**
 * The protobuf wire format, reading forward and writing backward.
 * Specified at https://protobuf.dev/programming-guides/encoding/
 */

/** Bytes that are not a valid encoding of the expected message. */
export class DecodeError extends Error {
  override name = 'DecodeError';
}

export const WireType = { varint: 0, fixed64: 1, bytes: 2, groupStart: 3, groupEnd: 4, fixed32: 5 } as const;

const maxDepth = 100;

/** A cursor over one message. All reads throw {@link DecodeError} instead of running past `end`. */
export class WireReader {
  readonly buffer: Buffer;
  position: number;
  end: number;
  private depth = 0;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
    this.position = 0;
    this.end = buffer.length;
  }

  /** A varint of at most 32 significant bits: tags and lengths. */
  uint32(): number {
    const { buffer, end } = this;
    let result = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.position >= end) throw new DecodeError('unexpected end of message');
      const byte = buffer[this.position++]!;
      result += shift < 28 ? (byte & 0x7f) << shift : (byte & 0x0f) * 2 ** 28;
      if (byte < 0x80) return result;
    }
    throw new DecodeError('varint overflows 32 bits');
  }

  /** A signed 64-bit varint as a number; beyond ±2^53 it is the nearest double. */
  int64(): number {
    const { buffer, end } = this;
    let result = 0;
    let scale = 1;
    for (let i = 0; ; i++) {
      if (this.position >= end) throw new DecodeError('unexpected end of message');
      const byte = buffer[this.position++]!;
      // Past seven groups (49 bits) a double may round, so the bits are gathered exactly.
      if (i === 7) return Number(BigInt.asIntN(64, this.wide(BigInt(result), byte)));
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return result;
      scale *= 128;
    }
  }

  /** A 64-bit varint, unsigned. */
  uint64(): bigint {
    const { buffer, end } = this;
    let result = 0;
    let scale = 1;
    for (let i = 0; ; i++) {
      if (this.position >= end) throw new DecodeError('unexpected end of message');
      const byte = buffer[this.position++]!;
      if (i === 7) return this.wide(BigInt(result), byte);
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return BigInt(result);
      scale *= 128;
    }
  }

  private wide(low: bigint, first: number): bigint {
    let result = low + (BigInt(first & 0x7f) << 49n);
    let byte = first;
    for (let shift = 56n; byte >= 0x80; shift += 7n) {
      if (shift > 63n) throw new DecodeError('varint overflows 64 bits');
      if (this.position >= this.end) throw new DecodeError('unexpected end of message');
      byte = this.buffer[this.position++]!;
      result += BigInt(byte & 0x7f) << shift;
    }
    return BigInt.asUintN(64, result);
  }

  /** The end position of a length-delimited field that starts here. */
  fieldEnd(): number {
    const length = this.uint32();
    const end = this.position + length;
    if (end > this.end) throw new DecodeError('length runs past the end of the message');
    return end;
  }

  /** A view on the input, not a copy. */
  bytes(): Buffer {
    const end = this.fieldEnd();
    const view = this.buffer.subarray(this.position, end);
    this.position = end;
    return view;
  }

  string(): string {
    const end = this.fieldEnd();
    const text = this.buffer.toString('utf8', this.position, end);
    this.position = end;
    return text;
  }

  /** Narrows the reader to an embedded message; give the result to {@link leave}. */
  enter(): number {
    const inner = this.fieldEnd();
    if (++this.depth > maxDepth) throw new DecodeError('message is nested too deeply');
    const outer = this.end;
    this.end = inner;
    return outer;
  }

  leave(outer: number): void {
    this.depth--;
    this.end = outer;
  }

  /** Steps over an unknown field. */
  skip(wireType: number, depth = 0): void {
    switch (wireType) {
      case WireType.varint:
        this.uint64();
        return;
      case WireType.fixed64:
        this.advance(8);
        return;
      case WireType.bytes:
        this.position = this.fieldEnd();
        return;
      case WireType.fixed32:
        this.advance(4);
        return;
      case WireType.groupStart:
        if (depth >= maxDepth) throw new DecodeError('message is nested too deeply');
        for (;;) {
          const tag = this.uint32();
          if ((tag & 7) === WireType.groupEnd) return;
          this.skip(tag & 7, depth + 1);
        }
      default:
        throw new DecodeError(`illegal wire type ${wireType}`);
    }
  }

  private advance(count: number): void {
    if (this.position + count > this.end) throw new DecodeError('unexpected end of message');
    this.position += count;
  }
}

const initialSize = 16 * 1024;
const keptSize = 1024 * 1024;

/**
 * Writes a message from its last byte to its first, so that every length is known when its prefix is written:
 * one pass and no size computation. The scratch space is reused; {@link finish} copies the message out.
 */
export class WireWriter {
  private buffer = Buffer.allocUnsafeSlow(initialSize);
  /** Index of the first written byte. */
  private position = initialSize;

  /** Bytes written so far. */
  get length(): number {
    return this.buffer.length - this.position;
  }

  private reserve(count: number): number {
    if (this.position < count) {
      const used = this.length;
      const grown = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, used + count));
      this.buffer.copy(grown, grown.length - used, this.position);
      this.buffer = grown;
      this.position = grown.length - used;
    }
    this.position -= count;
    return this.position;
  }

  /** An unsigned 32-bit varint. */
  uint32(value: number): void {
    if (value < 0x80) {
      const at = this.reserve(1);
      this.buffer[at] = value;
      return;
    }
    this.number(value);
  }

  /** A safe integer as a 64-bit varint, two's complement when negative. */
  int64(value: number): void {
    if (value < 0 || value > Number.MAX_SAFE_INTEGER) this.wide(BigInt(value));
    else this.number(value);
  }

  private number(value: number): void {
    let size = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size++;
    let at = this.reserve(size);
    let rest = value;
    while (rest >= 0x80) {
      this.buffer[at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.buffer[at] = rest;
  }

  /** Any 64-bit integer, signed or not. */
  wide(value: bigint): void {
    const rest = BigInt.asUintN(64, value);
    if (rest <= 0x1fffffffffffffn) {
      this.number(Number(rest));
      return;
    }
    // Two halves as numbers: arithmetic on bigints is slow, and every response header has two such ids.
    let low = Number(rest & 0xffffffffn);
    let high = Number(rest >> 32n);
    // Above 2^53: 8 groups of 7 bits hold up to 2^56, 9 up to 2^63.
    const size = high >= 2 ** 31 ? 10 : high >= 2 ** 24 ? 9 : 8;
    let at = this.reserve(size);
    for (let left = size; left > 1; left--) {
      this.buffer[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.buffer[at] = low & 0x7f;
  }

  /** Raw bytes with their length in front. */
  bytes(value: Uint8Array): void {
    const at = this.reserve(value.length);
    this.buffer.set(value, at);
    this.uint32(value.length);
  }

  string(value: string): void {
    const size = Buffer.byteLength(value);
    const at = this.reserve(size);
    this.buffer.write(value, at, size, 'utf8');
    this.uint32(size);
  }

  /**
   * The finished message after `prefix` bytes left for the caller to fill, in a buffer of exactly that size from
   * `allocate`. The writer is empty afterwards.
   */
  finish(prefix: number, allocate: (size: number) => Buffer): Buffer {
    const result = allocate(prefix + this.length);
    this.buffer.copy(result, prefix, this.position);
    this.clear();
    return result;
  }

  /** Forgets what was written, and scratch space that a rare large message needed. */
  clear(): void {
    if (this.buffer.length > keptSize) this.buffer = Buffer.allocUnsafeSlow(initialSize);
    this.position = this.buffer.length;
  }
}
