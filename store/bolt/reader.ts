import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import {
  BoltError,
  bucketHeaderSize,
  bucketLeafFlag,
  elementSize,
  fnv64,
  metaChecked,
  metaMagic,
  metaSize,
  metaVersion,
  PageFlag,
  pageHeaderSize,
} from './format.ts';

export interface BoltEntry {
  key: Buffer;
  value: Buffer;
}

const maxDepth = 64;

/** Reads a bolt file. Every step checks what it reads, since the file may come from anywhere. */
export class BoltReader {
  private readonly fd: number;
  private readonly size: number;
  private pageSize = 4096;
  private root = 0;

  /** @throws {BoltError} if the file is not a bolt database. */
  constructor(path: string) {
    this.fd = openSync(path, 'r');
    this.size = fstatSync(this.fd).size;
    try {
      this.readMeta();
    } catch (error) {
      closeSync(this.fd);
      throw error;
    }
  }

  private readMeta(): void {
    let newest = -1n;
    for (const at of [0, this.pageSize]) {
      const body = this.read(at + pageHeaderSize, metaSize, true);
      if (body.length < metaSize || body.readUInt32LE(0) !== metaMagic) continue;
      if (body.readUInt32LE(4) !== metaVersion) throw new BoltError('unknown version of the file format');
      if (body.readBigUInt64LE(56) !== fnv64(body.subarray(0, metaChecked))) continue;
      const transaction = body.readBigUInt64LE(48);
      if (transaction <= newest) continue;
      newest = transaction;
      this.pageSize = body.readUInt32LE(8);
      this.root = Number(body.readBigUInt64LE(16));
    }
    if (newest < 0n) throw new BoltError('not a bolt database: no valid meta page');
  }

  close(): void {
    closeSync(this.fd);
  }

  private read(position: number, length: number, short = false): Buffer {
    const buffer = Buffer.alloc(length);
    const count = readSync(this.fd, buffer, 0, length, position);
    if (count < length && !short) throw new BoltError('file is cut off');
    return buffer.subarray(0, count);
  }

  private page(id: number): Buffer {
    const start = id * this.pageSize;
    if (start + this.pageSize > this.size) throw new BoltError(`page ${id} is outside of the file`);
    const first = this.read(start, this.pageSize);
    const overflow = first.readUInt32LE(12);
    if (overflow === 0) return first;
    const length = (overflow + 1) * this.pageSize;
    if (start + length > this.size) throw new BoltError(`page ${id} is outside of the file`);
    return this.read(start, length);
  }

  /** The names of the buckets, in order. */
  *buckets(): Generator<string> {
    for (const { key, flags } of this.walk(this.root, 0)) if (flags & bucketLeafFlag) yield key.toString();
  }

  /** A bucket's entries in order; none if there is no such bucket. */
  *entries(bucket: string): Generator<BoltEntry> {
    for (const { key, value, flags } of this.walk(this.root, 0)) {
      if (!(flags & bucketLeafFlag) || key.toString() !== bucket) continue;
      if (value.length < bucketHeaderSize) throw new BoltError(`bucket ${bucket} has no header`);
      const root = Number(value.readBigUInt64LE(0));
      const entries = root === 0 ? this.elements(value.subarray(bucketHeaderSize), 0) : this.walk(root, 0);
      yield* entries;
    }
  }

  private *walk(id: number, depth: number): Generator<BoltEntry & { flags: number }> {
    if (depth > maxDepth) throw new BoltError('tree is too deep');
    yield* this.elements(this.page(id), depth);
  }

  private *elements(page: Buffer, depth: number): Generator<BoltEntry & { flags: number }> {
    if (page.length < pageHeaderSize) throw new BoltError('page is cut off');
    const flags = page.readUInt16LE(8);
    const count = page.readUInt16LE(10);
    if (pageHeaderSize + count * elementSize > page.length) throw new BoltError('page has too many elements');
    for (let i = 0; i < count; i++) {
      const at = pageHeaderSize + i * elementSize;
      if (flags & PageFlag.branch) {
        yield* this.walk(Number(page.readBigUInt64LE(at + 8)), depth + 1);
        continue;
      }
      if (!(flags & PageFlag.leaf)) throw new BoltError(`unexpected page with flags ${flags}`);
      const start = at + page.readUInt32LE(at + 4);
      const middle = start + page.readUInt32LE(at + 8);
      const end = middle + page.readUInt32LE(at + 12);
      if (end > page.length) throw new BoltError('element runs past its page');
      yield {
        key: page.subarray(start, middle),
        value: page.subarray(middle, end),
        flags: page.readUInt32LE(at),
      };
    }
  }
}
