import { CacheEntry, type FieldReader } from './cache-entry.ts';
import type { StoredChange } from './store-feed.ts';
import { ChangeEvent } from './watch-event.ts';

/** Receives a resource's events in order; must not throw. */
export interface CacheWatcher {
  event(event: ChangeEvent): void;
  /** The cache lost its place in the history: the client must list again. */
  expired(): void;
}

const defaultRing = 1024;

/** First index whose key is not less than `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * All objects of one resource and its latest changes, kept current by the {@link StoreFeed}.
 *
 * Readers see only complete revisions, in the store's order. Single-threaded: `subscribe` replays and joins in
 * one step, so a watch has no gap and no repeat.
 */
export class ResourceCache {
  readonly #entries = new Map<string, CacheEntry>();
  readonly #watchers = new Set<CacheWatcher>();
  readonly #fieldsOf: FieldReader;
  readonly #ringSize: number;
  #ring: ChangeEvent[] = [];
  /** The entries' keys in order. */
  #keys: string[] = [];
  /** Changes after this revision can be replayed. */
  #oldest = 0;

  constructor(options: { fieldsOf: FieldReader; ringSize?: number }) {
    this.#fieldsOf = options.fieldsOf;
    this.#ringSize = options.ringSize ?? defaultRing;
  }

  get size(): number {
    return this.#entries.size;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  get(key: string): CacheEntry | undefined {
    return this.#entries.get(key);
  }

  /** Entries in key order, of one namespace if given. */
  list(namespace?: string): CacheEntry[] {
    const keys = this.#keys;
    if (namespace === undefined) return keys.map((key) => this.#entries.get(key)!);
    const from = lowerBound(keys, `${namespace}/`);
    // '0' follows '/' in ASCII.
    const to = lowerBound(keys, `${namespace}0`);
    const result: CacheEntry[] = [];
    for (let i = from; i < to; i++) result.push(this.#entries.get(keys[i]!)!);
    return result;
  }

  entryOf(key: string, stored: Buffer, revision: number): CacheEntry {
    return CacheEntry.fromStore(key, stored, revision, this.#fieldsOf);
  }

  reset(items: readonly StoredChange[], revision: number): void {
    this.#entries.clear();
    for (const item of items) this.#entries.set(item.key, this.entryOf(item.key, item.value!, item.revision));
    this.#keys = [...this.#entries.keys()].sort();
    this.#ring = [];
    this.#oldest = revision;
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher.expired();
  }

  change(change: StoredChange): void {
    const { key, value, revision } = change;
    const previous = this.#entries.get(key);
    let event: ChangeEvent;
    if (value) {
      const entry = this.entryOf(key, value, revision);
      this.#entries.set(key, entry);
      if (!previous) this.#keys.splice(lowerBound(this.#keys, key), 0, key);
      event = new ChangeEvent(previous ? 'MODIFIED' : 'ADDED', entry, previous);
    } else {
      if (!previous) return;
      this.#entries.delete(key);
      this.#keys.splice(lowerBound(this.#keys, key), 1);
      event = new ChangeEvent('DELETED', previous.atRevision(revision), previous);
    }
    this.#remember(event);
    for (const watcher of this.#watchers) watcher.event(event);
  }

  #remember(event: ChangeEvent): void {
    this.#ring.push(event);
    // Cut in halves, so that the cost per event stays constant.
    if (this.#ring.length < this.#ringSize * 2) return;
    this.#oldest = this.#ring[this.#ringSize - 1]!.revision;
    this.#ring = this.#ring.slice(this.#ringSize);
  }

  /** The revision after which all changes can be replayed. */
  get oldest(): number {
    return this.#oldest;
  }

  canReplay(revision: number): boolean {
    return revision >= this.#oldest;
  }

  /** Whether nothing of this resource changed after `revision`. */
  unchangedSince(revision: number): boolean {
    return revision >= Math.max(this.#oldest, this.#ring.at(-1)?.revision ?? 0);
  }

  /**
   * Delivers what happened after `revision`, then what happens from now on, until the returned function is
   * called. Only for a revision that {@link canReplay}.
   */
  subscribe(watcher: CacheWatcher, revision: number): () => void {
    let from = this.#ring.length;
    while (from > 0 && this.#ring[from - 1]!.revision > revision) from--;
    for (const event of this.#ring.slice(from)) watcher.event(event);
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}
