import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClassicLevel, Iterator } from 'classic-level';
import { Level } from 'level';
import { Faults } from '../fault.ts';
import { Head, Tally } from './head.ts';
import {
  checksum,
  crcSize,
  DamageError,
  headKey,
  type Location,
  memberKey,
  prefix,
  revisionKey,
  seal,
  storedChecksum,
  unseal,
} from './record.ts';

/** A group's writes; all of them become durable, or none. */
export interface Batch {
  puts: { key: Buffer; body: Uint8Array }[];
  removals: Buffer[];
}

export interface OpenedRecord {
  key: Buffer;
  body: Buffer;
}

/** The data cannot be opened at all. */
export class DiskError extends Error {
  override name = 'DiskError';
}

export interface DiskOptions {
  directory: string;
  faults?: Faults;
}

const readAhead = 4000;
const options = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;

/**
 * The records on disk and their tally. Knows nothing of what they mean.
 * Invariant: {@link commit} is never called while another is running.
 */
export class Disk {
  private readonly level: ClassicLevel<Buffer, Buffer>;
  private readonly tally = new Tally();
  private readonly directory: string;
  private readonly faults: Faults;
  private closed = false;

  private constructor(level: ClassicLevel<Buffer, Buffer>, directory: string, faults: Faults) {
    this.level = level;
    this.directory = directory;
    this.faults = faults;
  }

  /** Bytes of all records, as far as they are still needed. */
  get bytesInUse(): number {
    return this.tally.bytes;
  }

  /** Bytes of all files. */
  async size(): Promise<number> {
    let total = 0;
    for (const name of await readdir(this.directory)) {
      // LevelDB removes files at any time.
      const file = await stat(join(this.directory, name)).catch(() => undefined);
      total += file?.size ?? 0;
    }
    return total;
  }

  /** @throws {DiskError} with LevelDB's reason: in use, damaged, full, not writable. */
  static async open({ directory, faults = new Faults(undefined) }: DiskOptions): Promise<Disk> {
    const level = new Level<Buffer, Buffer>(directory, {
      ...options,
      cacheSize: 8 * 1024 * 1024,
      writeBufferSize: 8 * 1024 * 1024,
      // On Node, level is classic-level; its types speak for browsers too.
    }) as unknown as ClassicLevel<Buffer, Buffer>;
    try {
      await level.open();
    } catch (error) {
      const { cause } = error as { cause?: Error };
      throw new DiskError(`cannot open the data in ${directory}: ${cause?.message ?? String(error)}`, {
        cause: error,
      });
    }
    return new Disk(level, directory, faults);
  }

  /**
   * Reads and checks all records, once, before the first commit. Returns the head, undefined for a new disk.
   * @throws {DamageError} when a record is damaged or missing.
   */
  async load(visit: (record: OpenedRecord) => void): Promise<Head | undefined> {
    let found: Head | undefined;
    const iterator = this.level.iterator({
      ...options,
      highWaterMarkBytes: 2 * 1024 * 1024,
      fillCache: false,
    });
    try {
      // The next chunk is read by a thread of LevelDB's while this one is looked at.
      let reading = iterator.nextv(readAhead);
      for (;;) {
        const entries = await reading;
        if (entries.length === 0) break;
        reading = iterator.nextv(readAhead);
        reading.catch(() => undefined);
        for (const [key, value] of entries) {
          const body = unseal(key, value);
          if (key[0] === prefix.head) found = Head.decode(body);
          else if (key[0] === prefix.revision || key[0] === prefix.lease) {
            this.tally.add(storedChecksum(value), value.length);
            visit({ key, body });
          } else if (key[0] !== prefix.member)
            throw new DamageError(`unknown record 0x${key.toString('hex')}`);
        }
      }
    } finally {
      await iterator.close();
    }
    this.verify(found);
    return found;
  }

  private verify(head: Head | undefined): void {
    const { count, sum } = this.tally;
    if (!head) {
      if (count > 0) throw new DamageError(`there are ${count} records but no head record`);
      return;
    }
    if (head.count !== count)
      throw new DamageError(
        `${head.count} records were written up to revision ${head.revision}, ${count} are left`,
      );
    if (head.sum !== sum)
      throw new DamageError(`the records up to revision ${head.revision} are not those that were written`);
  }

  /** Makes a batch durable together with the head that describes the state after it. */
  async commit(
    { puts, removals }: Batch,
    position: { revision: number; compactRevision: number },
  ): Promise<void> {
    const batch = this.level.batch();
    for (const { key, body } of puts) {
      const crc = checksum(key, body);
      if (key[0] === prefix.lease) this.forget(key);
      if (key[0] !== prefix.member) this.tally.add(crc, body.length + crcSize);
      batch.put(key, seal(crc, body));
    }
    for (const key of removals) {
      this.forget(key);
      batch.del(key);
    }
    const { count, sum } = this.tally;
    const { revision, compactRevision } = position;
    const head = Head.encode({ revision, compact_revision: compactRevision, count, sum });
    batch.put(headKey, seal(checksum(headKey, head), head));
    this.faults.pass('before-commit');
    const written = batch.write({ sync: true });
    this.faults.pass('during-commit');
    await written;
    this.faults.pass('after-commit');
  }

  private forget(key: Buffer): void {
    const old = this.level.getSync(key, options);
    if (old) this.tally.remove(storedChecksum(old), old.length);
  }

  /**
   * The KeyValue of a durable change.
   * @throws {DamageError} when it is damaged or missing.
   */
  read({ revision, sub }: Location): Buffer {
    const key = revisionKey(revision, sub);
    const value = this.level.getSync(key, options);
    if (!value) throw new DamageError(`record of revision ${revision}.${sub} is missing`);
    return unseal(key, value);
  }

  readMember(): Buffer | undefined {
    const value = this.level.getSync(memberKey, options);
    return value && unseal(memberKey, value);
  }

  /** A consistent view of the records between two keys, however long reading it takes. */
  scan(from: Buffer, to: Buffer): RecordScan {
    return new RecordScan(
      this.level.iterator({ ...options, gte: from, lt: to, highWaterMarkBytes: 256 * 1024 }),
    );
  }

  /** A consistent view of all leases and changes. */
  scanAll(): RecordScan {
    return this.scan(Buffer.from([prefix.lease]), Buffer.from([prefix.revision + 1]));
  }

  /** Rewrites the files without what was removed. */
  async compactFiles(): Promise<void> {
    await this.level.compactRange(Buffer.from([0]), Buffer.from([255]), options);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.level.close();
  }
}

type LevelIterator = Iterator<ClassicLevel<Buffer, Buffer>, Buffer, Buffer>;

/** Reads records in order, in chunks. */
export class RecordScan {
  private readonly iterator: LevelIterator;

  constructor(iterator: LevelIterator) {
    this.iterator = iterator;
  }

  /** Up to `count` records, fewer when they are large; none at the end. */
  async next(count: number): Promise<OpenedRecord[]> {
    const entries = await this.iterator.nextv(count);
    return entries.map(([key, value]) => ({ key, body: unseal(key, value) }));
  }

  async close(): Promise<void> {
    await this.iterator.close();
  }
}
