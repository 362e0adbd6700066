import { decodeHuffman } from './huffman.ts';

/** A header block that cannot be decoded; the connection's state is lost with it. */
export class CompressionError extends Error {
  override name = 'CompressionError';
}

type Field = readonly [name: string, value: string];

/** RFC 7541, appendix A. */
const staticTable: readonly Field[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ...(
    'accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control ' +
    'content-disposition content-encoding content-language content-length content-location content-range ' +
    'content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range ' +
    'if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range ' +
    'referer refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary ' +
    'via www-authenticate'
  )
    .split(' ')
    .map((name): Field => [name, '']),
];

/** The size of a dynamic table that a peer may use unless told otherwise. */
export const defaultTableSize = 4096;
const fieldOverhead = 32;

/** Decodes the header blocks of one connection, in order: RFC 7541. */
export class HpackDecoder {
  /** Newest first. */
  private readonly dynamic: Field[] = [];
  private size = 0;
  private limit = defaultTableSize;
  private readonly maxListSize: number;
  private block: Buffer = Buffer.alloc(0);
  private position = 0;

  /** @param maxListSize bytes of names and values in one block. */
  constructor(maxListSize: number) {
    this.maxListSize = maxListSize;
  }

  /**
   * The block's fields in an object without prototype; of a name that is repeated, the last value.
   * @throws {CompressionError}
   */
  decode(block: Buffer): Record<string, string> {
    this.block = block;
    this.position = 0;
    const headers: Record<string, string> = Object.create(null);
    let listSize = 0;
    while (this.position < block.length) {
      const field = this.field();
      if (!field) continue;
      const [name, value] = field;
      listSize += name.length + value.length + fieldOverhead;
      if (listSize > this.maxListSize) throw new CompressionError('header list is too large');
      headers[name] = value;
    }
    return headers;
  }

  private field(): Field | undefined {
    const first = this.block[this.position]!;
    if (first & 0x80) return this.indexed(this.integer(7));
    if (first & 0x40) {
      const field = this.literal(6);
      this.insert(field);
      return field;
    }
    if (first & 0x20) {
      const limit = this.integer(5);
      if (limit > defaultTableSize) throw new CompressionError('table size update above the limit');
      this.limit = limit;
      this.evict();
      return undefined;
    }
    return this.literal(4);
  }

  private indexed(index: number): Field {
    const field =
      index <= staticTable.length ? staticTable[index - 1] : this.dynamic[index - staticTable.length - 1];
    if (!field) throw new CompressionError(`no header field at index ${index}`);
    return field;
  }

  private literal(prefixBits: number): Field {
    const index = this.integer(prefixBits);
    const name = index === 0 ? this.string() : this.indexed(index)[0];
    return [name, this.string()];
  }

  private insert(field: Field): void {
    this.dynamic.unshift(field);
    this.size += field[0].length + field[1].length + fieldOverhead;
    this.evict();
  }

  private evict(): void {
    while (this.size > this.limit) {
      const [name, value] = this.dynamic.pop()!;
      this.size -= name.length + value.length + fieldOverhead;
    }
  }

  private integer(prefixBits: number): number {
    const mask = 2 ** prefixBits - 1;
    let value = this.byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new CompressionError('integer is too large');
  }

  private byte(): number {
    if (this.position >= this.block.length) throw new CompressionError('header block is cut off');
    return this.block[this.position++]!;
  }

  private string(): string {
    const huffman = (this.block[this.position]! & 0x80) !== 0;
    const length = this.integer(7);
    const end = this.position + length;
    if (end > this.block.length) throw new CompressionError('header block is cut off');
    const bytes = this.block.subarray(this.position, end);
    this.position = end;
    if (!huffman) return bytes.toString('latin1');
    try {
      return decodeHuffman(bytes);
    } catch (error) {
      throw new CompressionError((error as RangeError).message);
    }
  }
}

/**
 * A header block without reference to any table state, so that it can be made once and sent on every
 * connection. Values are Latin-1.
 */
export function encodeHeaders(fields: Iterable<readonly [string, string]>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) {
    const whole = staticTable.findIndex(([n, v]) => n === name && v === value && v !== '');
    if (whole >= 0) {
      parts.push(Buffer.from([0x80 | (whole + 1)]));
      continue;
    }
    const named = staticTable.findIndex(([n]) => n === name);
    parts.push(
      named >= 0 ? encodeInteger(named + 1, 4) : Buffer.concat([Buffer.from([0]), encodeString(name)]),
    );
    parts.push(encodeString(value));
  }
  return Buffer.concat(parts);
}

function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([encodeInteger(bytes.length, 7), bytes]);
}

function encodeInteger(value: number, prefixBits: number): Buffer {
  const mask = 2 ** prefixBits - 1;
  if (value < mask) return Buffer.from([value]);
  const bytes = [mask];
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
