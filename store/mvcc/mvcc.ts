import { KeyValue } from '../../api/etcd/messages.ts';
import { errors } from '../errors.ts';
import type { Faults } from '../fault.ts';
import type { Batch, Disk, RecordScan } from './disk.ts';
import { Garbage } from './garbage.ts';
import { KeyEntry } from './key-entry.ts';
import { Queue } from './queue.ts';
import {
  crcSize,
  type Location,
  leaseKey,
  memberKey,
  parseRevisionKey,
  prefix,
  recordOf,
  revisionKey,
  summarize,
} from './record.ts';
import { Slab } from './slab.ts';
import { SortedIndex } from './sorted-index.ts';
import type { TxnView } from './txn.ts';

/** One key's change in one revision. */
export interface Change {
  entry: KeyEntry;
  key: string;
  revision: number;
  sub: number;
  deleted: boolean;
  /** The KeyValue's bytes. */
  raw: Buffer;
  /** The key's previous value, if it had one. */
  previous: Location | undefined;
}

/** What the lessor keeps of keys and leases. Called as changes are made, before they are durable. */
export interface LeaseLedger {
  has(id: bigint): boolean;
  /** The lease of a key, 0 when it has none. */
  leaseOf(key: string): bigint;
  attach(id: bigint, key: string): void;
  detach(key: string): void;
  /** A lease found on disk. */
  restore(body: Buffer): void;
}

export interface MvccOptions {
  disk: Disk;
  faults: Faults;
  leases: LeaseLedger;
  /** Bytes of current values kept in memory. */
  cacheBytes: number;
  /** Told of a group's changes when they are durable, in order. */
  onCommit(changes: readonly Change[], revision: number): void;
  /** Told how long a group took to become durable. */
  onDurable(seconds: number): void;
  /** Told of a failed write, after which nothing can be written. */
  onFailure(error: unknown): void;
}

interface Waiting {
  run: () => unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

const groupLimit = 2048;
const groupBytes = 8 * 1024 * 1024;
/** Changes that a compaction removes at a time, while writers wait. */
const compactionSlice = 250;

/**
 * The keys and their history.
 *
 * Invariants:
 * - One writer: operations given to {@link submit} run one after another, in groups; a group's changes are
 *   committed as one synced batch.
 * - Nothing is read, watched or acknowledged before it is durable: readers read at {@link revision}, which moves
 *   on only after the commit, and an operation's outcome, even an error, is reported only then.
 * - An operation that throws has changed nothing.
 * - After a failed commit nothing more is written, since what the disk holds is then unknown; what was durable
 *   stays readable.
 */
export class Mvcc {
  /** The durable revision: what readers see. */
  revision = 1;
  /** Revisions below it cannot be read. */
  compactRevision = -1;

  private readonly disk: Disk;
  private readonly options: MvccOptions;
  private readonly index = new SortedIndex();
  private readonly garbage = new Garbage();
  private readonly cached = new Queue<{ entry: KeyEntry; revision: number; size: number }>();
  private cachedBytes = 0;
  private readonly slab = new Slab();

  // The writer's own view, ahead of the durable one by the running group.
  private writeRevision = 1;
  private writeCompactRevision = -1;
  private changes: Change[] = [];
  private changeBytes = 0;
  /** The records of the running group: of its changes, and leases and the member. */
  private puts: Batch['puts'] = [];
  private removals: Buffer[] = [];
  /** Changes of the running group that a later one of it has superseded. */
  private readonly overlay = new Map<string, Buffer>();

  private readonly waiting = new Queue<Waiting>();
  private writing: Promise<void> | undefined;
  private failure: unknown;
  private compacting: Promise<void> | undefined;

  private constructor(options: MvccOptions) {
    this.options = options;
    this.disk = options.disk;
  }

  /** @throws {DamageError} when the disk does not hold what was written. */
  static async open(options: MvccOptions): Promise<Mvcc> {
    const mvcc = new Mvcc(options);
    const head = await options.disk.load(({ key, body }) => {
      if (key[0] === prefix.lease) options.leases.restore(body);
      else mvcc.restore(parseRevisionKey(key), body);
    });
    if (head) {
      mvcc.revision = head.revision;
      mvcc.writeRevision = head.revision;
      mvcc.compactRevision = head.compact_revision;
      mvcc.writeCompactRevision = head.compact_revision;
    }
    mvcc.collectGarbage();
    return mvcc;
  }

  private restore(location: Location, raw: Buffer): void {
    const { key, createRevision, version, lease } = summarize(raw);
    const added = new KeyEntry(key, location);
    const known = this.index.add(added);
    if (known) {
      if (!known.deleted) this.garbage.addSuperseded(location.revision, known);
      known.supersede(location);
    }
    const entry = known ?? added;
    entry.createRevision = createRevision;
    entry.version = version;
    if (version === 0) this.garbage.addDeletion(location.revision, entry);
    if (lease !== 0n) this.options.leases.attach(lease, key);
    else this.options.leases.detach(key);
  }

  /** Operations that wait for the writer. */
  get waitingCount(): number {
    return this.waiting.length;
  }

  /** Number of keys with any history. */
  get size(): number {
    return this.index.size;
  }

  /** Changes that a compaction could remove, or that one is removing. */
  get garbageCount(): number {
    return this.garbage.length;
  }

  get failed(): boolean {
    return this.failure !== undefined;
  }

  // ---- reading -------------------------------------------------------------------------------------------

  /**
   * The revision to read at: `requested`, or the durable one for 0.
   * @throws {GrpcError} for a future or compacted revision.
   */
  readRevision(requested: number): number {
    if (requested > this.revision) throw errors.futureRevision();
    const revision = requested <= 0 ? this.revision : requested;
    if (revision < this.compactRevision) throw errors.compacted();
    return revision;
  }

  get(key: string): KeyEntry | undefined {
    return this.index.get(key);
  }

  visit(from: string, to: string | undefined, visit: (entry: KeyEntry) => boolean | undefined): void {
    this.index.visit(from, to, visit);
  }

  /** The KeyValue's bytes of a change that {@link KeyEntry.locate} found. */
  read(entry: KeyEntry, { revision, sub }: Location): Buffer {
    if (entry.raw && entry.revision === revision) return entry.raw;
    const pending = this.overlay.size > 0 ? this.overlay.get(`${revision}:${sub}`) : undefined;
    if (pending) return pending;
    const raw = this.disk.read({ revision, sub });
    if (entry.revision === revision) {
      entry.raw = raw;
      this.cache(entry, raw);
    }
    return raw;
  }

  private cache(entry: KeyEntry, raw: Buffer): void {
    this.cached.push({ entry, revision: entry.revision, size: raw.length });
    this.cachedBytes += raw.length;
    while (this.cachedBytes > this.options.cacheBytes) {
      const oldest = this.cached.first();
      // What is not yet durable can be read from nowhere else.
      if (!oldest || oldest.revision > this.revision) return;
      this.cached.shift();
      this.cachedBytes -= oldest.size;
      if (oldest.entry.revision === oldest.revision) oldest.entry.raw = undefined;
    }
  }

  /** Resolves to a revision up to which {@link scan} sees everything: at least the durable one of now. */
  scannable(): Promise<number> {
    return this.disk.scannable();
  }

  /** The changes between two revisions, both included, in order, as far as they are {@link scannable}. */
  scan(from: number, to: number): RecordScan {
    return this.disk.scan(revisionKey(from, 0), revisionKey(to + 1, 0));
  }

  // ---- writing -------------------------------------------------------------------------------------------

  /** Runs `operation` on the writer; its result is reported once all it has seen and done is durable. */
  submit<T>(operation: (transaction: WriteTransaction) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.waiting.push({
        run: () => operation(new WriteTransaction(this)),
        resolve: resolve as (value: unknown) => void,
        reject,
      });
      this.writing ??= this.write();
    });
  }

  private async write(): Promise<void> {
    for (;;) {
      // Requests that arrive in the same turn of the event loop join the group; and a commit may take no turn of
      // it, so operations that submit others would keep everything else from happening.
      await new Promise(setImmediate);
      if (this.waiting.length === 0 || this.failure) break;
      await this.writeGroup();
    }
    for (const { reject } of this.drain()) reject(errors.stopped());
    // In the same turn in which the queue was seen empty, or an operation submitted now would wait for ever.
    this.writing = undefined;
  }

  private async writeGroup(): Promise<void> {
    const outcomes: { report: () => void; reject: (error: unknown) => void }[] = [];
    while (this.waiting.length > 0 && outcomes.length < groupLimit && this.changeBytes < groupBytes) {
      const { run, resolve, reject } = this.waiting.shift()!;
      try {
        const result = run();
        outcomes.push({ report: () => resolve(result), reject });
      } catch (error) {
        outcomes.push({ report: () => reject(error), reject });
      }
    }
    try {
      await this.commit();
    } catch (error) {
      this.fail(error);
      for (const { reject } of outcomes) reject(errors.writeFailed());
      return;
    }
    for (const { report } of outcomes) report();
  }

  /** Nothing more is written from now on. */
  fail(error: unknown): void {
    if (this.failure) return;
    this.failure = error;
    this.options.onFailure(error);
  }

  private drain(): Waiting[] {
    const left: Waiting[] = [];
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) left.push(next);
    return left;
  }

  private async commit(): Promise<void> {
    const { changes, puts, removals } = this;
    const compacted = this.writeCompactRevision !== this.compactRevision;
    if (puts.length + removals.length > 0 || compacted) {
      const start = performance.now();
      await this.disk.commit(
        { puts, removals },
        { revision: this.writeRevision, compactRevision: this.writeCompactRevision },
      );
      this.options.onDurable((performance.now() - start) / 1000);
      this.changes = [];
      this.changeBytes = 0;
      this.puts = [];
      this.removals = [];
      this.overlay.clear();
      this.revision = this.writeRevision;
      this.compactRevision = this.writeCompactRevision;
      if (changes.length > 0) this.options.onCommit(changes, this.revision);
      this.options.faults.pass('after-publish');
    }
  }

  /** For {@link WriteTransaction}: the revision that the next change belongs to is one above. */
  get lastRevision(): number {
    return this.writeRevision;
  }

  get lastCompactRevision(): number {
    return this.writeCompactRevision;
  }

  get leases(): LeaseLedger {
    return this.options.leases;
  }

  /** For {@link WriteTransaction}: a record without its checksum. */
  encode(keyValue: Parameters<typeof KeyValue.encode>[0]): Buffer {
    return KeyValue.encode(keyValue, crcSize, this.slab.allocate);
  }

  /** For {@link WriteTransaction}: notes one change of a key. */
  change(
    key: string,
    location: Location,
    record: Buffer,
    state: { createRevision: number; version: number },
  ): void {
    const raw = record.subarray(crcSize);
    let entry = this.index.get(key);
    let previous: Location | undefined;
    if (entry) {
      if (!entry.deleted) {
        previous = { revision: entry.revision, sub: entry.sub };
        this.garbage.addSuperseded(location.revision, entry);
      }
      if (entry.raw && entry.revision > this.revision)
        this.overlay.set(`${entry.revision}:${entry.sub}`, entry.raw);
      entry.supersede(location);
    } else {
      entry = new KeyEntry(key, location);
      this.index.add(entry);
    }
    entry.createRevision = state.createRevision;
    entry.version = state.version;
    entry.raw = raw;
    this.cache(entry, raw);
    const deleted = state.version === 0;
    if (deleted) this.garbage.addDeletion(location.revision, entry);
    this.changes.push({ entry, key, ...location, deleted, raw, previous });
    this.puts.push({ key: revisionKey(location.revision, location.sub), record });
    this.changeBytes += raw.length;
  }

  /** For {@link WriteTransaction}: the changes made so far belong to a finished revision. */
  finishRevision(): void {
    this.writeRevision++;
  }

  /** For an operation on the writer: stores a lease with its group. */
  putLease(id: bigint, body: Uint8Array): void {
    this.puts.push({ key: leaseKey(id), record: recordOf(body) });
  }

  /** For an operation on the writer: removes a stored lease with its group. */
  removeLease(id: bigint): void {
    this.removals.push(leaseKey(id));
  }

  /** For an operation on the writer: stores identity and alarms with its group. */
  putMember(body: Uint8Array): void {
    this.puts.push({ key: memberKey, record: recordOf(body) });
  }

  // ---- compaction ----------------------------------------------------------------------------------------

  /**
   * Forgets what was superseded up to `revision`. Resolves when that is decided for good; the records are
   * removed in the background, see {@link compacted}.
   */
  async compact(revision: number): Promise<void> {
    await this.submit(() => {
      if (revision <= this.writeCompactRevision) throw errors.compacted();
      if (revision > this.writeRevision) throw errors.futureRevision();
      this.writeCompactRevision = revision;
    });
    this.collectGarbage();
  }

  /** Resolves when all records that a compaction has given up are removed. */
  async compacted(): Promise<void> {
    await this.compacting;
  }

  private collectGarbage(): void {
    this.compacting ??= this.removeGarbage().finally(() => {
      this.compacting = undefined;
    });
    this.compacting.catch(() => undefined);
  }

  private async removeGarbage(): Promise<void> {
    this.options.faults.pass('before-compaction');
    let target: number;
    do {
      target = this.compactRevision;
      // In slices, so that writers wait for one slice at most.
      while ((await this.submit(() => this.removeSlice())) === compactionSlice);
    } while (target !== this.compactRevision);
  }

  private removeSlice(): number {
    for (let count = 0; count < compactionSlice; count++) {
      const entry = this.garbage.take(this.compactRevision);
      if (!entry) return count;
      const { location, last } = entry.removeOldest();
      this.removals.push(revisionKey(location.revision, location.sub));
      if (last) this.index.remove(entry.key);
    }
    this.options.faults.pass('during-compaction');
    return compactionSlice;
  }

  /** Waits for what has been submitted and closes the disk. */
  async close(): Promise<void> {
    await this.writing;
    this.failure ??= errors.stopped();
    await this.disk.close();
  }
}

/**
 * One operation's access to the writer's view. All its changes share one revision.
 * Callers check everything that can fail before the first change.
 */
export class WriteTransaction implements TxnView {
  private readonly mvcc: Mvcc;
  private sub = 0;
  private readonly begin: number;

  constructor(mvcc: Mvcc) {
    this.mvcc = mvcc;
    this.begin = mvcc.lastRevision;
  }

  /** The revision of what the transaction has changed, or of what it has found. */
  get revision(): number {
    return this.sub > 0 ? this.begin + 1 : this.begin;
  }

  get compactRevision(): number {
    return this.mvcc.lastCompactRevision;
  }

  get leases(): LeaseLedger {
    return this.mvcc.leases;
  }

  get(key: string): KeyEntry | undefined {
    return this.mvcc.get(key);
  }

  visit(from: string, to: string | undefined, visit: (entry: KeyEntry) => boolean | undefined): void {
    this.mvcc.visit(from, to, visit);
  }

  read(entry: KeyEntry, location: Location): Buffer {
    return this.mvcc.read(entry, location);
  }

  private next(): Location {
    if (this.sub === 0) this.mvcc.finishRevision();
    return { revision: this.begin + 1, sub: this.sub++ };
  }

  put(key: Buffer, value: Uint8Array, lease: bigint): void {
    const name = key.toString('latin1');
    const entry = this.mvcc.get(name);
    const location = this.next();
    const exists = entry !== undefined && !entry.deleted;
    const createRevision = exists ? entry.createRevision : location.revision;
    const version = exists ? entry.version + 1 : 1;
    const fields = {
      key,
      create_revision: createRevision,
      mod_revision: location.revision,
      version,
      value,
      lease,
    };
    this.mvcc.change(name, location, this.mvcc.encode(fields), { createRevision, version });
    const { leases } = this.mvcc;
    leases.detach(name);
    if (lease !== 0n) leases.attach(lease, name);
  }

  /** Deletes a key that exists. */
  delete(key: string): void {
    const record = this.mvcc.encode({ key: Buffer.from(key, 'latin1') });
    this.mvcc.change(key, this.next(), record, { createRevision: 0, version: 0 });
    this.mvcc.leases.detach(key);
  }
}
