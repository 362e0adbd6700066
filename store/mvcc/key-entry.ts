import type { Location } from './record.ts';

/**
 * One key's history: the place of its newest change, and of the older ones that compaction has not removed.
 * Invariant: the changes are in ascending order of revision; a key changes at most once in a revision.
 */
export class KeyEntry {
  readonly key: string;
  /** Revision and place of the newest change. */
  revision: number;
  sub: number;
  /** Of the newest change; both 0 when it is a deletion. */
  createRevision: number;
  version: number;
  /** The newest change's KeyValue when it is cached or not yet durable. */
  raw: Buffer | undefined;
  /** Older changes as pairs of revision and sub; the sub of a deletion is complemented (negative). */
  private older: number[] | undefined;

  constructor(key: string, location: Location) {
    this.key = key;
    this.revision = location.revision;
    this.sub = location.sub;
    this.createRevision = 0;
    this.version = 0;
    this.raw = undefined;
    this.older = undefined;
  }

  get deleted(): boolean {
    return this.version === 0;
  }

  /** Makes room for a newer change. */
  supersede(location: Location): void {
    this.older ??= [];
    this.older.push(this.revision, this.deleted ? ~this.sub : this.sub);
    this.revision = location.revision;
    this.sub = location.sub;
    this.raw = undefined;
  }

  /** Where the value at `revision` is; undefined when the key did not exist then. */
  locate(revision: number): Location | undefined {
    if (this.revision <= revision) return this.deleted ? undefined : this;
    const { older } = this;
    if (!older) return undefined;
    for (let i = older.length - 2; i >= 0; i -= 2) {
      if (older[i]! > revision) continue;
      const sub = older[i + 1]!;
      return sub < 0 ? undefined : { revision: older[i]!, sub };
    }
    return undefined;
  }

  /** Whether the key existed at `revision`. */
  existed(revision: number): boolean {
    return this.revision <= revision ? !this.deleted : this.older !== undefined && !!this.locate(revision);
  }

  /**
   * Takes the oldest change off the history. `last` says that it was the only one, so the key is to be forgotten.
   */
  removeOldest(): { location: Location; last: boolean } {
    const { older } = this;
    if (!older) return { location: { revision: this.revision, sub: this.sub }, last: true };
    const [revision, sub] = older.splice(0, 2) as [number, number];
    if (older.length === 0) this.older = undefined;
    return { location: { revision, sub: sub < 0 ? ~sub : sub }, last: false };
  }
}
