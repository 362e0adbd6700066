import { createInflate, type Inflate } from 'node:zlib';
import { headerDictionary } from './dictionary.ts';
import { SpdyProtocolError, words } from './frames.ts';

/** Names are lower case. */
export type SpdyHeaders = Record<string, string>;

/** Longest header block that is accepted once it is decompressed, in bytes. */
const longestBlock = 64 * 1024;

function parseBlock(block: Buffer): SpdyHeaders {
  let at = 0;
  const number = () => {
    if (at + 4 > block.length) throw new SpdyProtocolError('header block is cut off');
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const string = () => {
    const length = number();
    if (at + length > block.length) throw new SpdyProtocolError('header block is cut off');
    at += length;
    return block.toString('latin1', at - length, at);
  };
  const headers: SpdyHeaders = {};
  for (let count = number(); count > 0; count--) {
    const name = string().toLowerCase();
    headers[name] = string();
  }
  return headers;
}

/**
 * Decompresses the header blocks of one direction of a connection. They are one zlib stream: every block must
 * be given, in order, each after the one before has been answered.
 */
export class HeaderReader {
  readonly #inflate: Inflate = createInflate({
    dictionary: headerDictionary,
    chunkSize: 4096,
    readableHighWaterMark: 2 * longestBlock,
  } as Parameters<typeof createInflate>[0]);
  #failed: Error | undefined;

  constructor() {
    this.#inflate.on('error', (error) => {
      this.#failed = error;
    });
  }

  /** @throws {SpdyProtocolError} for what is not a header block, or is too long. */
  async read(compressed: Buffer): Promise<SpdyHeaders> {
    await new Promise<void>((resolve, reject) => {
      const refuse = (error: Error) => reject(new SpdyProtocolError(`header block: ${error.message}`));
      if (this.#failed) return refuse(this.#failed);
      // A block that fills the buffer would wait there to be read.
      const watch = () => {
        if (this.#inflate.readableLength > longestBlock) refuse(new Error('too long'));
      };
      this.#inflate.once('error', refuse).on('readable', watch);
      this.#inflate.write(compressed, (error) => {
        this.#inflate.off('error', refuse).off('readable', watch);
        if (error) refuse(error);
        else resolve();
      });
    });
    const block: Buffer = this.#inflate.read() ?? Buffer.alloc(0);
    if (block.length > longestBlock) throw new SpdyProtocolError(`header block of ${block.length} bytes`);
    return parseBlock(block);
  }

  close(): void {
    this.#inflate.destroy();
  }
}

/**
 * Writes the header blocks of one direction. They have to be one zlib stream, but nothing says that it must
 * compress: stored blocks (RFC 1951, 3.2.4) need no state beyond "has it begun".
 */
export class HeaderWriter {
  #begun = false;

  write(headers: SpdyHeaders): Buffer {
    const entries = Object.entries(headers);
    const strings = entries.flat().map((text) => Buffer.from(text, 'latin1'));
    const block = Buffer.concat([
      words(entries.length),
      ...strings.flatMap((text) => [words(text.length), text]),
    ]);
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(block.length, 1);
    stored.writeUInt16LE(~block.length & 0xffff, 3);
    const begin = this.#begun ? [] : [Buffer.from([0x78, 0x01])];
    this.#begun = true;
    // An empty stored block at the end makes readers hand out what they have (a "sync flush").
    return Buffer.concat([...begin, stored, block, Buffer.from([0, 0, 0, 0xff, 0xff])]);
  }
}
