import type { WatchEvent } from './event.ts';
import { watchIdField } from './shared-events.ts';

/** Where a watcher's events go. */
export interface WatchSink {
  /** False while the client reads too slowly; the hub then stops sending and catches up later. */
  readonly ready: boolean;
  /** Sends events of one watcher, in order, whole revisions. */
  send(watcher: Watcher, events: readonly WatchEvent[]): void;
  /** The watch is over: its next event has been compacted away. */
  compacted(watcher: Watcher, compactRevision: number): void;
  /** The watcher has all events up to the durable revision. */
  synced(watcher: Watcher): void;
}

export interface WatcherOptions {
  id: number;
  from: string;
  /** Exclusive; undefined: no end. */
  to: string | undefined;
  startRevision: number;
  previous: boolean;
  skipPuts: boolean;
  skipDeletes: boolean;
  progressNotify: boolean;
  fragment: boolean;
  sink: WatchSink;
}

/** One watch: a key range and the revision of the first event it has not been sent. */
export class Watcher {
  readonly id: number;
  /** The id as a field of a response. */
  readonly idField: Buffer;
  readonly from: string;
  readonly to: string | undefined;
  readonly previous: boolean;
  readonly progressNotify: boolean;
  readonly fragment: boolean;
  readonly sink: WatchSink;
  private readonly skipPuts: boolean;
  private readonly skipDeletes: boolean;
  /** Events below are sent or not wanted. Kept up to date only while the watcher is not in sync. */
  next: number;
  /** Nothing was sent since the last progress notification. */
  quiet = true;

  constructor(options: WatcherOptions) {
    this.id = options.id;
    this.idField = watchIdField(options.id);
    this.from = options.from;
    this.to = options.to;
    this.previous = options.previous;
    this.progressNotify = options.progressNotify;
    this.fragment = options.fragment;
    this.sink = options.sink;
    this.skipPuts = options.skipPuts;
    this.skipDeletes = options.skipDeletes;
    this.next = options.startRevision;
  }

  /** Those of `events`, which are in its key range, that it wants and has not got. */
  select(events: readonly WatchEvent[]): readonly WatchEvent[] {
    if (!this.skipPuts && !this.skipDeletes && events[0]!.revision >= this.next) return events;
    return events.filter(
      ({ revision, deleted }) => revision >= this.next && !(deleted ? this.skipDeletes : this.skipPuts),
    );
  }
}

/** The watchers of one key range: whether an event is theirs is decided once for all of them. */
export class RangeGroup {
  readonly from: string;
  readonly to: string | undefined;
  readonly synced = new Set<Watcher>();

  constructor(from: string, to: string | undefined) {
    this.from = from;
    this.to = to;
  }

  matches(key: string): boolean {
    return key >= this.from && (this.to === undefined || key < this.to);
  }
}
