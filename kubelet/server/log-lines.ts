/** Docker's framed log: a channel byte, three zeros, a big-endian length, and that many bytes of one entry. */
const headerLength = 8;
/** `2006-01-02T15:04:05.000000000Z` and a space. */
const timestampLength = 31;

/**
 * Takes Docker's log stream apart into what a reader of the log shall see. Docker keeps a line over 16 KiB as
 * several entries and puts a timestamp before each: only the first belongs to the line.
 */
export class LogDecoder {
  readonly #framed: boolean;
  readonly #timestamps: boolean;
  readonly #wanted: 'All' | 'Stdout' | 'Stderr';
  #pending: Buffer = Buffer.alloc(0);
  /** Channels whose last entry ended without a newline. */
  readonly #open = new Set<number>();

  constructor(options: { framed: boolean; timestamps: boolean; stream: 'All' | 'Stdout' | 'Stderr' }) {
    this.#framed = options.framed;
    this.#timestamps = options.timestamps;
    this.#wanted = options.stream;
  }

  *push(chunk: Buffer): Generator<Buffer> {
    if (!this.#framed) {
      yield chunk;
      return;
    }
    let rest = this.#pending.length ? Buffer.concat([this.#pending, chunk]) : chunk;
    while (rest.length >= headerLength) {
      const end = headerLength + rest.readUInt32BE(4);
      if (rest.length < end) break;
      const entry = this.#entry(rest[0]!, rest.subarray(headerLength, end));
      if (entry.length) yield entry;
      rest = rest.subarray(end);
    }
    this.#pending = rest;
  }

  #entry(channel: number, bytes: Buffer): Buffer {
    const continues = this.#open.has(channel);
    if (bytes.at(-1) === 0x0a) this.#open.delete(channel);
    else this.#open.add(channel);
    if (this.#wanted !== 'All' && (this.#wanted === 'Stderr') !== (channel === 2))
      return bytes.subarray(0, 0);
    return this.#timestamps && continues ? bytes.subarray(timestampLength) : bytes;
  }
}
