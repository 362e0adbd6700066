import { findViolation, type Operation, printHistory, type Recorded } from './store-linearizability.ts';
import type { Write } from './store-watch-rules.ts';

/** What all clients of a run did and heard. */
export class History {
  /** Broken promises in words. */
  readonly problems: string[] = [];
  readonly acknowledged: Write[] = [];
  operations = 0;
  /** Operations that had no answer. */
  unknown = 0;
  /** Handed to the store in values. */
  bytes = 0;
  /** The highest revision that any client was told. */
  highest = 0;
  private readonly keys = new Map<string, Recorded[]>();
  /** Without an answer until now. */
  private readonly open = new Set<Recorded>();
  private values = 0;

  /** A number that no other value of the run has. */
  nextValue(): number {
    return ++this.values;
  }

  /** An answer to a write: it must be seen by every watcher. */
  acknowledge(revision: number, key: string, value: string | null): void {
    this.acknowledged.push({ revision, key, value });
    this.told(revision);
  }

  told(revision: number): void {
    this.highest = Math.max(this.highest, revision);
  }

  /**
   * Runs an operation on a key and records when it was called and answered.
   * @param unknown what is known of the operation if no answer comes
   */
  async record(
    { key, client, unknown }: { key: string; client: number; unknown: Operation },
    run: () => Promise<Operation>,
  ): Promise<void> {
    const entry: Recorded = {
      operation: unknown,
      client,
      call: performance.now(),
      return: Number.POSITIVE_INFINITY,
    };
    const history = this.keys.get(key) ?? [];
    this.keys.set(key, history);
    history.push(entry);
    this.open.add(entry);
    this.operations++;
    try {
      const operation = await run();
      entry.return = performance.now();
      entry.operation = operation;
      this.open.delete(entry);
    } catch (error) {
      this.unknown++;
      // A read without an answer says nothing.
      if (unknown.kind === 'get') history.splice(history.indexOf(entry), 1);
      throw error;
    }
  }

  /** The process is dead: what it has not done by now it will never do. */
  processEnded(): void {
    const now = performance.now();
    for (const entry of this.open) entry.expires = now;
    this.open.clear();
  }

  /** Adds what no order of the operations explains to the problems. */
  check(): void {
    const written = this.acknowledged.map(({ revision, key }) => `${revision} ${key}`);
    if (new Set(written).size !== written.length)
      this.problems.push('D3: two writes of a key were acknowledged with the same revision');
    const revisions = new Map<number, string>();
    for (const { revision, value } of this.acknowledged) {
      // Keys of one transaction are given the same value.
      const other = revisions.get(revision);
      if (other !== undefined && other !== String(value))
        this.problems.push(`D3: ${other} and ${value} were acknowledged with the same revision ${revision}`);
      revisions.set(revision, String(value));
    }
    for (const [key, history] of this.keys) {
      const violation = findViolation(history);
      if (violation) this.problems.push(`D1-D3: not linearizable\n${printHistory(key, violation)}`);
    }
  }
}
