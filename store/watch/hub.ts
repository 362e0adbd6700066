import { KeyValue } from '../../api/etcd/messages.ts';
import type { OpenedRecord } from '../mvcc/disk.ts';
import type { Change, Mvcc } from '../mvcc/mvcc.ts';
import { parseRevisionKey, summarize } from '../mvcc/record.ts';
import { WatchEvent } from './event.ts';
import { RangeGroup, type Watcher } from './watcher.ts';

/** More watchers than this are told in gathered responses, a millisecond after the first change for each so many. */
const largeAudience = 64;
const longestGather = 12;

/**
 * Feeds watchers.
 *
 * A watcher is either in sync: it has every event up to the durable revision and gets new ones from the commit;
 * or late: it started in the past or its client read too slowly, and the changes are read from disk for it.
 *
 * Invariants:
 * - A late watcher joins the others in the same turn of the event loop in which it is seen to have everything
 *   up to the durable revision. Commits are told in whole turns, so there is no gap and no repeat.
 * - What is held back is of revisions that every watcher that joins meanwhile has already, or does not want.
 * - Events of one revision are always handed to the sink together.
 */
export class WatchHub {
  private readonly singles = new Map<string, RangeGroup>();
  private readonly ranges = new Map<string, RangeGroup>();
  private readonly late = new Set<Watcher>();
  /** Durable changes that synced watchers have not been told of. */
  private untold: WatchEvent[] = [];
  private timer: NodeJS.Timeout | undefined;
  private catchingUp = false;
  private mvcc!: Mvcc;
  private readonly onError: (error: unknown) => void;
  watcherCount = 0;
  eventCount = 0;
  /** Records that are read from disk at a time for late watchers. */
  chunkRecords = 1000;

  constructor(onError: (error: unknown) => void) {
    this.onError = onError;
  }

  start(mvcc: Mvcc): void {
    this.mvcc = mvcc;
  }

  get lateCount(): number {
    return this.late.size;
  }

  add(watcher: Watcher): void {
    this.watcherCount++;
    if (watcher.next > this.mvcc.revision) {
      this.join(watcher);
      return;
    }
    this.late.add(watcher);
    this.catchUp();
  }

  remove(watcher: Watcher): void {
    const wasLate = this.late.delete(watcher);
    if (!wasLate && !this.leave(watcher)) return;
    this.watcherCount--;
  }

  isLate(watcher: Watcher): boolean {
    return this.late.has(watcher);
  }

  private groupMap({
    from,
    to,
  }: {
    from: string;
    to: string | undefined;
  }): [Map<string, RangeGroup>, string] {
    if (to === `${from}\0`) return [this.singles, from];
    return [this.ranges, to === undefined ? `>${from}` : `${from.length}:${from}${to}`];
  }

  private join(watcher: Watcher): void {
    const [groups, name] = this.groupMap(watcher);
    let group = groups.get(name);
    if (!group) {
      group = new RangeGroup(watcher.from, watcher.to);
      groups.set(name, group);
    }
    group.synced.add(watcher);
    watcher.sink.synced(watcher);
  }

  private leave(watcher: Watcher): boolean {
    const [groups, name] = this.groupMap(watcher);
    const group = groups.get(name);
    const found = group?.synced.delete(watcher) ?? false;
    if (group?.synced.size === 0) groups.delete(name);
    return found;
  }

  /**
   * Tells watchers of a durable group: at once, or when many watchers have to be told, together with the groups
   * of the next few milliseconds, since a response costs more than an event in it.
   */
  notify(changes: readonly Change[]): void {
    if (this.singles.size + this.ranges.size === 0) return;
    for (const change of changes) this.untold.push(this.eventOf(change));
    if (this.timer) return;
    const audience = this.audience();
    if (audience <= largeAudience) this.flush();
    else this.timer = setTimeout(() => this.flush(), Math.min(longestGather, audience / largeAudience));
  }

  private audience(): number {
    let size = 0;
    for (const group of this.match(this.untold).keys()) size += group.synced.size;
    return size;
  }

  private match(events: readonly WatchEvent[]): Map<RangeGroup, WatchEvent[]> {
    const matched = new Map<RangeGroup, WatchEvent[]>();
    const add = (group: RangeGroup, event: WatchEvent) => {
      const list = matched.get(group);
      if (list) list.push(event);
      else matched.set(group, [event]);
    };
    for (const event of events) {
      const single = this.singles.get(event.key);
      if (single) add(single, event);
      for (const group of this.ranges.values()) if (group.matches(event.key)) add(group, event);
    }
    return matched;
  }

  /** Hands out what is held back. Whoever reports a revision to a client does it first. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const events = this.untold;
    if (events.length === 0) return;
    this.untold = [];
    for (const [group, list] of this.match(events))
      for (const watcher of group.synced) {
        if (watcher.sink.ready) {
          this.send(watcher, list);
          continue;
        }
        watcher.next = Math.max(watcher.next, list[0]!.revision);
        this.leave(watcher);
        this.late.add(watcher);
      }
  }

  private send(watcher: Watcher, events: readonly WatchEvent[]): void {
    const wanted = watcher.select(events);
    if (wanted.length === 0) return;
    this.eventCount += wanted.length;
    watcher.sink.send(watcher, wanted);
  }

  private eventOf({ entry, key, revision, deleted, raw, previous }: Change): WatchEvent {
    return new WatchEvent({
      key,
      revision,
      deleted,
      kv: deleted ? tombstone(raw, revision) : raw,
      readPrevious: () => {
        if (!previous || revision - 1 < this.mvcc.compactRevision) return undefined;
        // A transaction that puts a key and then deletes it: what was before the transaction counts.
        const location = previous.revision < revision ? previous : entry.locate(revision - 1);
        return location && this.mvcc.read(entry, location);
      },
    });
  }

  /** Reads changes from disk for late watchers whose sinks are ready, until there are none. */
  catchUp(): void {
    if (this.catchingUp) return;
    this.catchingUp = true;
    this.run()
      .catch((error: unknown) => this.onError(error))
      .finally(() => {
        this.catchingUp = false;
      });
  }

  private async run(): Promise<void> {
    // Watches created in one turn share a scan.
    await new Promise(setImmediate);
    // With nobody late, LevelDB need not be hurried to take what it has not taken yet.
    while (this.late.size > 0) {
      const until = await this.mvcc.scannable();
      const ready = this.sortOut();
      if (ready.length === 0) return;
      const from = Math.min(...ready.map(({ next }) => next));
      const { records, last } = await this.readChunk(from, until);
      this.deliver(ready, records, last ?? until);
    }
  }

  /** The late watchers to read for now, after those that have everything, or never will, are gone. */
  private sortOut(): Watcher[] {
    const { revision, compactRevision } = this.mvcc;
    const ready: Watcher[] = [];
    for (const watcher of this.late) {
      if (!watcher.sink.ready) continue;
      if (watcher.next < compactRevision) {
        this.remove(watcher);
        watcher.sink.compacted(watcher, compactRevision);
      } else if (watcher.next > revision) {
        this.late.delete(watcher);
        this.join(watcher);
      } else ready.push(watcher);
    }
    return ready;
  }

  /** Whole revisions from `from` on; `last` is the last of them, undefined when there are no more. */
  private async readChunk(
    from: number,
    until: number,
  ): Promise<{ records: OpenedRecord[]; last: number | undefined }> {
    const scan = this.mvcc.scan(from, until);
    try {
      const records: OpenedRecord[] = [];
      for (;;) {
        const more = await scan.next(this.chunkRecords);
        records.push(...more);
        if (more.length === 0) return { records, last: undefined };
        if (records.length < this.chunkRecords) continue;
        const last = parseRevisionKey(records.at(-1)!.key).revision;
        // The last revision may go on in the next chunk.
        const whole = records.findLastIndex(({ key }) => parseRevisionKey(key).revision < last) + 1;
        if (whole > 0) return { records: records.slice(0, whole), last: last - 1 };
      }
    } finally {
      await scan.close();
    }
  }

  private deliver(watchers: readonly Watcher[], records: readonly OpenedRecord[], last: number): void {
    const events = records.map((record) => this.storedEvent(record));
    const byRange = new Map<string, WatchEvent[]>();
    for (const watcher of watchers) {
      if (!this.late.has(watcher) || !watcher.sink.ready) continue;
      const name = `${watcher.from.length}:${watcher.from}${watcher.to ?? ' end'}`;
      let list = byRange.get(name);
      if (!list) {
        const { from, to } = watcher;
        list = events.filter(({ key }) => key >= from && (to === undefined || key < to));
        byRange.set(name, list);
      }
      if (list.length > 0) this.send(watcher, list);
      watcher.next = Math.max(watcher.next, last + 1);
    }
  }

  private storedEvent({ key: recordKey, body }: OpenedRecord): WatchEvent {
    const { revision } = parseRevisionKey(recordKey);
    const { key, version, createRevision } = summarize(body);
    const deleted = version === 0;
    return new WatchEvent({
      key,
      revision,
      deleted,
      kv: deleted ? tombstone(body, revision) : body,
      readPrevious: () => {
        // A key that is new has nothing before it, even if the same transaction has deleted it first.
        if (createRevision === revision || revision - 1 < this.mvcc.compactRevision) return undefined;
        const entry = this.mvcc.get(key);
        const location = entry?.locate(revision - 1);
        return entry && location && this.mvcc.read(entry, location);
      },
    });
  }
}

/** A deletion is stored without its revision, as in etcd, and reported with it. */
function tombstone(raw: Buffer, revision: number): Buffer {
  return KeyValue.encode({ key: KeyValue.decode(raw).key, mod_revision: revision });
}
