import type { ClassicLevel } from 'classic-level';
import type { Faults } from '../fault.ts';
import type { Operation } from './journal-record.ts';
import { Queue } from './queue.ts';

/** Groups are joined until a batch is about as large. */
const batchBytes = 2 * 1024 * 1024;
/** Milliseconds that groups are gathered for: LevelDB's work for many is little more than for one. */
const gather = 10;
/** Beyond so many bytes that LevelDB has not taken yet, writers wait. */
const limitBytes = 16 * 1024 * 1024;

/** Heads that do not count any more and are removed at a time, besides one for every other removal. */
const headSlice = 1000;

interface Group {
  /** The last of them puts the head. */
  operations: readonly Operation[];
  revision: number;
  bytes: number;
  /** The value of every key, undefined for a removed one; made when it is first looked into. */
  values: Map<string, Buffer | undefined> | undefined;
}

interface Waiter {
  /** Number of groups to be taken before. */
  until: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Carries durable groups over to LevelDB, in order, in the background and unsynced. What LevelDB has not taken yet
 * is found here.
 */
export class WriteBehind {
  /** Revision of the last group that LevelDB has taken. */
  revision = 0;
  /** Keys of the heads that LevelDB has; the last one counts. */
  heads: Buffer[] = [];

  private readonly level: ClassicLevel<Buffer, Buffer>;
  private readonly faults: Faults;
  private readonly onFailure: (error: unknown) => void;
  private readonly groups = new Queue<Group>();
  private bytes = 0;
  private pushed = 0;
  private taken = 0;
  private readonly waiters = new Queue<Waiter>();
  private running = false;
  private timer: NodeJS.Timeout | undefined;
  private failure: { error: unknown } | undefined;

  constructor(options: {
    level: ClassicLevel<Buffer, Buffer>;
    faults: Faults;
    onFailure: (error: unknown) => void;
  }) {
    this.level = options.level;
    this.faults = options.faults;
    this.onFailure = options.onFailure;
  }

  push(operations: readonly Operation[], revision: number): void {
    let bytes = 0;
    for (const { key, value } of operations) bytes += key.length + (value?.length ?? 0);
    this.groups.push({ operations, revision, bytes, values: undefined });
    this.bytes += bytes;
    this.pushed++;
    if (this.running) return;
    if (this.bytes >= batchBytes) this.start();
    else this.timer ??= setTimeout(() => this.start(), gather);
  }

  private start(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.running || this.groups.length === 0) return;
    this.running = true;
    this.run().catch((error: unknown) => this.fail(error));
  }

  /** Looks for a key among what LevelDB has not taken; `undefined` when it is not there. */
  find(key: Buffer): { value: Buffer | undefined } | undefined {
    if (this.groups.length === 0) return undefined;
    const name = key.toString('latin1');
    for (const group of this.groups.newestFirst()) {
      group.values ??= new Map(group.operations.map((each) => [each.key.toString('latin1'), each.value]));
      if (group.values.has(name)) return { value: group.values.get(name) };
    }
    return undefined;
  }

  /**
   * Resolves when LevelDB has taken all groups pushed so far.
   * @throws what LevelDB threw.
   */
  async taking(): Promise<void> {
    await this.wait(this.pushed);
  }

  /** Resolves when there is room for another group. */
  async room(): Promise<void> {
    while (this.failure || this.bytes > limitBytes) await this.wait(this.taken + 1);
  }

  private wait(until: number): Promise<void> {
    if (this.failure) return Promise.reject(this.failure.error);
    if (until <= this.taken) return Promise.resolve();
    this.start();
    return new Promise((resolve, reject) => this.waiters.push({ until, resolve, reject }));
  }

  private async run(): Promise<void> {
    // What is pushed meanwhile is gathered again, unless it is much or waited for.
    do await this.take();
    while (this.groups.length > 0 && (this.bytes >= batchBytes || this.waiters.length > 0));
    this.running = false;
    if (this.groups.length > 0) this.timer = setTimeout(() => this.start(), gather);
  }

  private async take(): Promise<void> {
    const batch = this.level.batch();
    let bytes = 0;
    let count = 0;
    let removals = 0;
    let head: Operation | undefined;
    for (const { operations, bytes: size } of this.groups) {
      head = operations.at(-1)!;
      for (const { key, value } of operations)
        if (!value) {
          batch.del(key);
          removals++;
        } else if (key !== head.key) batch.put(key, value);
      bytes += size;
      count++;
      if (bytes >= batchBytes) break;
    }
    batch.put(head!.key, head!.value!);
    if (this.heads.at(-1)?.equals(head!.key) !== true) this.heads.push(head!.key);
    // Not otherwise: a removal reaches back into LevelDB's older files, which are merged with the new one then.
    if (removals > 0)
      for (const key of this.heads.splice(0, Math.min(headSlice + removals, this.heads.length - 1)))
        batch.del(key);
    this.faults.pass('before-apply');
    const written = batch.write();
    this.faults.pass('during-apply');
    await written;
    for (let i = 0; i < count; i++) this.revision = this.groups.shift()!.revision;
    this.bytes -= bytes;
    this.taken += count;
    for (let next = this.waiters.first(); next && next.until <= this.taken; next = this.waiters.first())
      this.waiters.shift()!.resolve();
  }

  private fail(error: unknown): void {
    this.failure = { error };
    for (let next = this.waiters.shift(); next; next = this.waiters.shift()) next.reject(error);
    this.onFailure(error);
  }
}
