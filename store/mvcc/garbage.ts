import type { KeyEntry } from './key-entry.ts';

/** A first-in-first-out queue that neither shifts an array on every take nor keeps what was taken. */
export class Queue<T> {
  private items: T[] = [];
  private head = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  push(item: T): void {
    this.items.push(item);
  }

  first(): T | undefined {
    return this.items[this.head];
  }

  shift(): T | undefined {
    if (this.head === this.items.length) return undefined;
    const item = this.items[this.head++];
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }
}

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
