import type { KeyEntry } from './key-entry.ts';

const fullChunk = 512;

/**
 * The keys in byte order: an array of sorted chunks. Against a B-tree of keys and values it needs half the
 * memory, because an entry holds its own key.
 * Invariant: no chunk is empty, and the last key of a chunk is below the first of the next.
 */
export class SortedIndex {
  private chunks: KeyEntry[][] = [];
  size = 0;

  get(key: string): KeyEntry | undefined {
    const chunk = this.chunks[this.chunkOf(key)];
    const entry = chunk?.[lowerBound(chunk, key)];
    return entry?.key === key ? entry : undefined;
  }

  /** Adds an entry, unless there is one with its key, which is returned then. */
  add(entry: KeyEntry): KeyEntry | undefined {
    const at = this.chunkOf(entry.key);
    const chunk = this.chunks[at];
    if (!chunk) {
      this.size++;
      this.chunks.push([entry]);
      return undefined;
    }
    const place = lowerBound(chunk, entry.key);
    const there = chunk[place];
    if (there?.key === entry.key) return there;
    this.size++;
    if (!there) chunk.push(entry);
    else chunk.splice(place, 0, entry);
    if (chunk.length > fullChunk) this.divide(at, place);
    return undefined;
  }

  private divide(at: number, place: number): void {
    const chunk = this.chunks[at]!;
    // Keys that only grow leave full chunks behind instead of half-full ones.
    const cut = place === chunk.length - 1 && at === this.chunks.length - 1 ? fullChunk : fullChunk / 2;
    this.chunks.splice(at + 1, 0, chunk.splice(cut));
  }

  remove(key: string): void {
    const at = this.chunkOf(key);
    const chunk = this.chunks[at];
    if (!chunk) return;
    const place = lowerBound(chunk, key);
    if (chunk[place]?.key !== key) return;
    this.size--;
    chunk.splice(place, 1);
    if (chunk.length === 0) this.chunks.splice(at, 1);
  }

  /**
   * Visits the entries with `from` <= key < `to` (`to` undefined: no end) in order, until `visit` returns false.
   * The index must not change meanwhile.
   */
  visit(from: string, to: string | undefined, visit: (entry: KeyEntry) => boolean | undefined): void {
    let at = this.chunkOf(from);
    let chunk = this.chunks[at];
    if (!chunk) return;
    let place = lowerBound(chunk, from);
    for (; chunk; chunk = this.chunks[++at], place = 0) {
      for (; place < chunk.length; place++) {
        const entry = chunk[place]!;
        if (to !== undefined && entry.key >= to) return;
        if (visit(entry) === false) return;
      }
    }
  }

  /** The last chunk whose first key is <= `key`, or the first. */
  private chunkOf(key: string): number {
    const { chunks } = this;
    let low = 0;
    let high = chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (chunks[middle]![0]!.key <= key) low = middle + 1;
      else high = middle;
    }
    return low > 0 ? low - 1 : 0;
  }
}

function lowerBound(chunk: readonly KeyEntry[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (chunk[middle]!.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
