import { closeSync, openSync, writeSync } from 'node:fs';
import {
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
  pageSize,
} from './format.ts';

interface Entry {
  key: Buffer;
  value: Buffer;
  flags: number;
}

interface Child {
  firstKey: Buffer;
  page: number;
}

const firstFreePage = 3;
const freelistPage = 2;

/**
 * Writes a bolt file from sorted entries, bucket after bucket, keeping only the bucket's page list in memory.
 * The file is whole only after {@link finish}.
 */
export class BoltWriter {
  private readonly fd: number;
  private nextPage = firstFreePage;
  private readonly buckets: Entry[] = [];
  private leaves: Child[] = [];
  private pending: Entry[] = [];
  private pendingSize = pageHeaderSize;

  constructor(path: string) {
    this.fd = openSync(path, 'w', 0o600);
  }

  /** Adds an entry to the open bucket; keys must ascend. */
  put(key: Buffer, value: Buffer): void {
    this.add({ key, value, flags: 0 });
  }

  private add(entry: Entry): void {
    const size = elementSize + entry.key.length + entry.value.length;
    if (this.pending.length > 0 && this.pendingSize + size > pageSize) this.flushLeaf();
    this.pending.push(entry);
    this.pendingSize += size;
  }

  /** Ends the open bucket and gives it a name; names must ascend. */
  endBucket(name: string): void {
    const value = Buffer.alloc(bucketHeaderSize);
    value.writeBigUInt64LE(BigInt(this.endTree()), 0);
    this.buckets.push({ key: Buffer.from(name), value, flags: bucketLeafFlag });
  }

  private endTree(): number {
    if (this.pending.length > 0 || this.leaves.length === 0) this.flushLeaf();
    let level = this.leaves;
    this.leaves = [];
    while (level.length > 1) level = this.branches(level);
    return level[0]!.page;
  }

  private flushLeaf(): void {
    const entries = this.pending;
    const firstKey = entries[0]?.key ?? Buffer.alloc(0);
    const page = this.writePage(PageFlag.leaf, entries.length, this.pendingSize, (buffer) => {
      let data = pageHeaderSize + entries.length * elementSize;
      entries.forEach(({ key, value, flags }, i) => {
        const at = pageHeaderSize + i * elementSize;
        buffer.writeUInt32LE(flags, at);
        buffer.writeUInt32LE(data - at, at + 4);
        buffer.writeUInt32LE(key.length, at + 8);
        buffer.writeUInt32LE(value.length, at + 12);
        buffer.set(key, data);
        buffer.set(value, data + key.length);
        data += key.length + value.length;
      });
    });
    this.leaves.push({ firstKey, page });
    this.pending = [];
    this.pendingSize = pageHeaderSize;
  }

  private branches(children: readonly Child[]): Child[] {
    const result: Child[] = [];
    for (let at = 0; at < children.length; ) {
      let size = pageHeaderSize;
      let end = at;
      while (end < children.length) {
        const more = elementSize + children[end]!.firstKey.length;
        if (end - at >= 2 && size + more > pageSize) break;
        size += more;
        end++;
      }
      const part = children.slice(at, end);
      const page = this.writePage(PageFlag.branch, part.length, size, (buffer) => {
        let data = pageHeaderSize + part.length * elementSize;
        part.forEach(({ firstKey, page: child }, i) => {
          const place = pageHeaderSize + i * elementSize;
          buffer.writeUInt32LE(data - place, place);
          buffer.writeUInt32LE(firstKey.length, place + 4);
          buffer.writeBigUInt64LE(BigInt(child), place + 8);
          buffer.set(firstKey, data);
          data += firstKey.length;
        });
      });
      result.push({ firstKey: part[0]!.firstKey, page });
      at = end;
    }
    return result;
  }

  private writePage(flags: number, count: number, size: number, fill: (buffer: Buffer) => void): number {
    const pages = Math.ceil(size / pageSize);
    const page = this.nextPage;
    this.nextPage += pages;
    this.writeAt(page, pages, flags, count, fill);
    return page;
  }

  private writeAt(
    page: number,
    pages: number,
    flags: number,
    count: number,
    fill: (buffer: Buffer) => void,
  ): void {
    const buffer = Buffer.alloc(pages * pageSize);
    buffer.writeBigUInt64LE(BigInt(page), 0);
    buffer.writeUInt16LE(flags, 8);
    buffer.writeUInt16LE(count, 10);
    buffer.writeUInt32LE(pages - 1, 12);
    fill(buffer);
    writeSync(this.fd, buffer, 0, buffer.length, page * pageSize);
  }

  /** Writes the root and the meta pages. Returns the file's size in bytes. */
  finish(): number {
    for (const bucket of this.buckets) this.add(bucket);
    const root = this.endTree();
    this.writeAt(freelistPage, 1, PageFlag.freelist, 0, () => undefined);
    for (const page of [0, 1])
      this.writeAt(page, 1, PageFlag.meta, 0, (buffer) => {
        const body = buffer.subarray(pageHeaderSize, pageHeaderSize + metaSize);
        body.writeUInt32LE(metaMagic, 0);
        body.writeUInt32LE(metaVersion, 4);
        body.writeUInt32LE(pageSize, 8);
        body.writeBigUInt64LE(BigInt(root), 16);
        body.writeBigUInt64LE(BigInt(freelistPage), 32);
        body.writeBigUInt64LE(BigInt(this.nextPage), 40);
        body.writeBigUInt64LE(BigInt(page + 1), 48);
        body.writeBigUInt64LE(fnv64(body.subarray(0, metaChecked)), 56);
      });
    closeSync(this.fd);
    return this.nextPage * pageSize;
  }

  /** Gives the file up. */
  abort(): void {
    closeSync(this.fd);
  }
}
