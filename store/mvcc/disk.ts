import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ClassicLevel, Iterator } from 'classic-level';
import { Level } from 'level';
import { journalDirectory, memberDirectory } from '../directories.ts';
import { Faults } from '../fault.ts';
import { syncFile } from '../sync-file.ts';
import { Head, Tally } from './head.ts';
import { Journal, readJournal } from './journal.ts';
import type { Operation } from './journal-record.ts';
import {
  crcSize,
  DamageError,
  headKey,
  isHeadKey,
  type Location,
  memberKey,
  prefix,
  revisionKey,
  seal,
  storedChecksum,
  unseal,
} from './record.ts';
import { planRecovery } from './recovery.ts';
import { WriteBehind } from './write-behind.ts';

/**
 * A group's writes; all of them become durable, or none. A record is a body behind {@link crcSize} bytes, which are
 * filled in here.
 */
export interface Batch {
  puts: { key: Buffer; record: Buffer }[];
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
  /** Of the data; LevelDB and the journal have directories of their own in it. */
  directory: string;
  faults?: Faults;
  /** Told that LevelDB refuses what is durable in the journal already. */
  onFailure?: (error: unknown) => void;
  /** Go on from what is left when acknowledged writes are missing. */
  acceptLoss?: boolean;
  /** Told in words of what was lost and accepted. */
  onLoss?: (message: string) => void;
}

const readAhead = 4000;
const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;
/** The head of a new disk. */
const newHead: Head = { revision: 1, compact_revision: -1, count: 0, sum: 0, sequence: 0 };

/**
 * The records on disk and their tally. Knows nothing of what they mean.
 *
 * A commit is durable when it is in the {@link Journal}; LevelDB takes it behind that, unsynced, and is synced when
 * the journal is to forget it. So after a crash LevelDB may lack the journal's groups, even some in the middle of
 * them, but none from before: carrying out all of the journal again, in order, gives the state of its last group.
 *
 * Invariant: {@link commit} is never called while another is running.
 */
export class Disk {
  private readonly level: ClassicLevel<Buffer, Buffer>;
  private readonly directory: string;
  private readonly faults: Faults;
  private readonly behind: WriteBehind;
  private readonly tally = new Tally();
  private journal: Journal | undefined;
  private head = newHead;
  private failure: { error: unknown } | undefined;
  private closed = false;

  private constructor(level: ClassicLevel<Buffer, Buffer>, options: DiskOptions) {
    this.level = level;
    this.directory = options.directory;
    this.faults = options.faults ?? new Faults(undefined);
    this.behind = new WriteBehind({
      level,
      faults: this.faults,
      onFailure: (error) => {
        this.failure = { error };
        options.onFailure?.(error);
      },
    });
  }

  /**
   * Opens the data and carries out what LevelDB may lack of the journal.
   * @throws {DiskError} with LevelDB's reason: in use, damaged, full, not writable.
   * @throws {DamageError} when acknowledged writes are missing.
   */
  static async open(options: DiskOptions): Promise<Disk> {
    const path = join(options.directory, memberDirectory);
    if (!existsSync(path)) await createLevel(path);
    const level = await openLevel(path);
    const disk = new Disk(level, options);
    try {
      await disk.recover(options);
      return disk;
    } catch (error) {
      await disk.abandon();
      if (error instanceof DamageError) throw error;
      const message = error instanceof Error ? error.message : String(error);
      throw new DiskError(`cannot write the data in ${options.directory}: ${message}`, { cause: error });
    }
  }

  private async recover({ acceptLoss = false, onLoss }: DiskOptions): Promise<void> {
    const directory = join(this.directory, journalDirectory);
    const stored = await this.storedHead();
    const contents = await readJournal(directory);
    const { lost, revision, groups } = planRecovery(stored, contents);
    if (lost && !acceptLoss)
      throw new DamageError(
        `${lost}; restore a snapshot, or start with --accept-data-loss to go on from revision ${revision}`,
      );
    if (lost) onLoss?.(`${lost}; going on from revision ${revision} as told`);
    for (const { operations } of groups) {
      await this.behind.room();
      this.behind.push(operations, 0);
    }
    await this.checkpoint();
    // What could not be carried out has numbers that are given out again.
    if (lost) await rm(directory, { recursive: true, force: true });
    this.head = (await this.storedHead()) ?? newHead;
    this.behind.revision = this.head.revision;
    this.journal = await Journal.begin({
      directory,
      next: contents.next,
      sequence: this.head.sequence,
      head: sealedHead(this.head),
      checkpoint: () => this.checkpoint(),
    });
  }

  /** The head that LevelDB has: no change is behind it. */
  private async storedHead(): Promise<Head | undefined> {
    const iterator = this.level.iterator({
      ...encodings,
      lt: Buffer.from([prefix.revision + 1]),
      reverse: true,
    });
    try {
      const [key, value] = (await iterator.next()) ?? [];
      return key && value && isHeadKey(key) ? Head.decode(unseal(key, value)) : undefined;
    } finally {
      await iterator.close();
    }
  }

  /** Makes durable in LevelDB all that was committed before the call. */
  private async checkpoint(): Promise<void> {
    await this.behind.taking();
    const path = join(this.directory, memberDirectory);
    // LevelDB syncs its tables itself, before it removes the log they were made from.
    for (const name of await readdir(path))
      if (name.endsWith('.log')) await syncFile(join(path, name)).catch(ignoreMissing);
    await syncFile(path);
    this.faults.pass('after-checkpoint');
  }

  /** Bytes of all records, as far as they are still needed. */
  get bytesInUse(): number {
    return this.tally.bytes;
  }

  /** Bytes of all files. */
  async size(): Promise<number> {
    let total = 0;
    const path = join(this.directory, memberDirectory);
    for (const name of await readdir(path)) {
      // LevelDB removes files at any time.
      const file = await stat(join(path, name)).catch(() => undefined);
      total += file?.size ?? 0;
    }
    return total;
  }

  /**
   * Reads and checks all records, once, before the first commit. Returns the head, undefined for a new disk.
   * @throws {DamageError} when a record is damaged or missing.
   */
  async load(visit: (record: OpenedRecord) => void): Promise<Head | undefined> {
    const heads: Buffer[] = [];
    const iterator = this.level.iterator({
      ...encodings,
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
          if (isHeadKey(key)) heads.push(key);
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
    this.verify(heads.length > 0);
    this.behind.heads = heads;
    return heads.length > 0 ? this.head : undefined;
  }

  private verify(hasHead: boolean): void {
    const { tally, head } = this;
    if (!hasHead && tally.count > 0)
      throw new DamageError(`there are ${tally.count} records but no head record`);
    if (head.count !== tally.count)
      throw new DamageError(
        `${head.count} records were written up to revision ${head.revision}, ${tally.count} are left`,
      );
    if (head.sum !== tally.sum)
      throw new DamageError(`the records up to revision ${head.revision} are not those that were written`);
  }

  /** Makes a batch durable together with the head that describes the state after it. */
  async commit(
    { puts, removals }: Batch,
    position: { revision: number; compactRevision: number },
  ): Promise<void> {
    if (this.failure) throw this.failure.error;
    await this.behind.room();
    const operations: Operation[] = [];
    for (const { key, record } of puts) {
      const crc = seal(key, record);
      if (key[0] === prefix.lease) this.forget(key);
      if (key[0] !== prefix.member) this.tally.add(crc, record.length);
      operations.push({ key, value: record });
    }
    for (const key of removals) {
      this.forget(key);
      operations.push({ key, value: undefined });
    }
    const { count, sum } = this.tally;
    const { revision, compactRevision } = position;
    const sequence = this.head.sequence + 1;
    this.head = { revision, compact_revision: compactRevision, count, sum, sequence };
    operations.push(sealedHead(this.head));
    this.faults.pass('before-commit');
    const written = this.journal!.append(sequence, operations);
    this.faults.pass('during-commit');
    try {
      await written;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
    this.faults.pass('after-commit');
    this.behind.push(operations, revision);
  }

  private forget(key: Buffer): void {
    const old = this.get(key);
    if (old) this.tally.remove(storedChecksum(old), old.length);
  }

  private get(key: Buffer): Buffer | undefined {
    const waiting = this.behind.find(key);
    return waiting ? waiting.value : this.level.getSync(key, encodings);
  }

  /**
   * The KeyValue of a durable change.
   * @throws {DamageError} when it is damaged or missing.
   */
  read({ revision, sub }: Location): Buffer {
    const key = revisionKey(revision, sub);
    const value = this.get(key);
    if (!value) throw new DamageError(`record of revision ${revision}.${sub} is missing`);
    return unseal(key, value);
  }

  readMember(): Buffer | undefined {
    const value = this.get(memberKey);
    return value && unseal(memberKey, value);
  }

  /**
   * Resolves to a revision up to which {@link scan} sees everything: at least the one that was committed last before
   * the call.
   */
  async scannable(): Promise<number> {
    await this.behind.taking();
    return this.behind.revision;
  }

  /** A consistent view of the records between two keys, however long reading it takes; see {@link scannable}. */
  scan(from: Buffer, to: Buffer): RecordScan {
    return new RecordScan(
      this.level.iterator({ ...encodings, gte: from, lt: to, highWaterMarkBytes: 256 * 1024 }),
    );
  }

  /** A consistent view of all leases and changes. */
  scanAll(): RecordScan {
    return this.scan(Buffer.from([prefix.lease]), Buffer.from([prefix.revision + 1]));
  }

  /** Rewrites the files without what was removed. */
  async compactFiles(): Promise<void> {
    await this.behind.taking();
    await this.level.compactRange(Buffer.from([0]), Buffer.from([255]), encodings);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    try {
      if (!this.failure) await this.journal?.end(this.head.sequence, sealedHead(this.head));
    } finally {
      await this.abandon();
    }
  }

  private async abandon(): Promise<void> {
    await this.journal?.close();
    await this.level.close();
  }
}

/** @throws {DiskError} */
async function openLevel(path: string): Promise<ClassicLevel<Buffer, Buffer>> {
  const level = new Level<Buffer, Buffer>(path, {
    ...encodings,
    cacheSize: 8 * 1024 * 1024,
    writeBufferSize: 8 * 1024 * 1024,
    // On Node, level is classic-level; its types speak for browsers too.
  }) as unknown as ClassicLevel<Buffer, Buffer>;
  try {
    await level.open();
    return level;
  } catch (error) {
    const { cause } = error as { cause?: Error };
    throw new DiskError(`cannot open the data in ${path}: ${cause?.message ?? String(error)}`, {
      cause: error,
    });
  }
}

/**
 * Makes an empty LevelDB, whole or not at all: it does not sync its first files itself, and does not open what a
 * power cut leaves of them.
 */
async function createLevel(path: string): Promise<void> {
  const making = `${path}.new`;
  await rm(making, { recursive: true, force: true });
  await mkdir(making, { recursive: true, mode: 0o700 });
  await (await openLevel(making)).close();
  for (const name of await readdir(making)) await syncFile(join(making, name));
  await syncFile(making);
  await rename(making, path);
  await syncFile(dirname(path));
  // The directory above the data may not be ours to open.
  await syncFile(dirname(dirname(path))).catch(() => undefined);
}

function sealedHead(head: Head): Operation {
  const key = headKey(head.revision);
  const value = Head.encode(head, crcSize);
  seal(key, value);
  return { key, value };
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
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
    for (;;) {
      const entries = await this.iterator.nextv(count);
      const records = entries
        .filter(([key]) => !isHeadKey(key))
        .map(([key, value]) => ({ key, body: unseal(key, value) }));
      if (records.length > 0 || entries.length === 0) return records;
    }
  }

  async close(): Promise<void> {
    await this.iterator.close();
  }
}
