import type { KeyEntry } from './key-entry.ts';
import { Queue } from './queue.ts';

/**
 * Which changes a compaction may remove, in the order in which they become removable, so that its cost is that
 * of the garbage and not of the keys. A change can go once a newer change of its key is at or below the
 * compacted revision; a deletion once it is itself below it (at it, a watch may still start with it).
 * Invariant: taking one item for a key always stands for the oldest change of that key.
 */
export class Garbage {
  private superseded = new Queue<{ at: number; entry: KeyEntry }>();
  private deletions = new Queue<{ at: number; entry: KeyEntry }>();

  /** A change of `entry` was superseded by one at revision `at`. Deletions are only reported as deletions. */
  addSuperseded(at: number, entry: KeyEntry): void {
    this.superseded.push({ at, entry });
  }

  addDeletion(at: number, entry: KeyEntry): void {
    this.deletions.push({ at, entry });
  }

  get length(): number {
    return this.superseded.length + this.deletions.length;
  }

  /** The next key whose oldest change a compaction at `revision` removes. */
  take(revision: number): KeyEntry | undefined {
    const first = this.superseded.first();
    if (first && first.at <= revision) return this.superseded.shift()!.entry;
    const deletion = this.deletions.first();
    if (deletion && deletion.at < revision) return this.deletions.shift()!.entry;
    return undefined;
  }
}
