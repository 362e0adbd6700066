import {
  EventType,
  FilterType,
  type WatchCreateRequest,
  type WatchResponse,
} from '../../api/etcd/messages.ts';

/** One change, as a watch with `prev_kv` has to bring it. */
export interface ModelEvent {
  revision: number;
  key: string;
  /** The value, create revision and version; undefined for a deletion. */
  now: ModelValue | undefined;
  before: ModelValue | undefined;
  /** The same revision has changed the key again, so a compaction at it leaves only the last change. */
  superseded: boolean;
}

export interface ModelValue {
  value: string;
  create: number;
  mod: number;
  version: number;
}

/** All that there is to know of a store for its watches: what every revision changed. */
export class WatchModel {
  events: ModelEvent[] = [];
  readonly live = new Map<string, ModelValue>();
  revision: number;

  constructor(revision: number) {
    this.revision = revision;
  }

  /** One transaction, change after change; `undefined` deletes a key, if it is there. */
  apply(changes: readonly [key: string, value: string | undefined][]): void {
    const mod = this.revision + 1;
    const old = new Map(this.live);
    for (const [key, value] of changes) {
      const last = this.live.get(key);
      if (value === undefined && !last) continue;
      const version = (last?.version ?? 0) + 1;
      const now = value === undefined ? undefined : { value, create: last?.create ?? mod, mod, version };
      // A watch is told what there was before the transaction, and nothing for a key that is new.
      const before = now?.create === mod ? undefined : old.get(key);
      for (const event of this.events)
        if (event.revision === mod && event.key === key) event.superseded = true;
      this.events.push({ revision: mod, key, now, before, superseded: false });
      this.revision = mod;
      if (now) this.live.set(key, now);
      else this.live.delete(key);
    }
  }

  /** Drops what no watch can bring any more. */
  compact(revision: number): void {
    this.events = this.events.filter((event) => event.revision >= revision);
  }

  /** What a watch has to bring from `start` on, up to `until`. */
  expected(request: WatchCreateRequest, start: number, until: number): ModelEvent[] {
    const from = request.key.toString('latin1') || '\0';
    const end = request.range_end.toString('latin1');
    return this.events.filter(
      ({ revision, key, now }) =>
        revision >= start &&
        revision <= until &&
        (end === '' ? key === from : key >= from && (end === '\0' || key < end)) &&
        !request.filters.includes(now ? FilterType.noput : FilterType.nodelete),
    );
  }
}

/** One watch that was accepted, with what it has brought. */
export interface WatchLog {
  request: WatchCreateRequest;
  start: number;
  /** The watch had to be late once: it began in the past, or its client did not read for a while. */
  mayLag: boolean;
  /** It began before what is compacted, so it must be refused. */
  doomed: boolean;
  received: number;
  /** More of the revision sent last is to come. */
  fragmented: boolean;
  /** Revision that the stream has said to be complete. */
  progress: number;
  over: 'cancelled' | 'compacted' | undefined;
}

/** What the checker asks of the store while it runs. */
export interface StoreState {
  revision: number;
  compactRevision: number;
}

/**
 * Checks the responses of one stream against the model, in the order in which they come.
 * Every method throws an Error that says what was wrong.
 */
export class WatchChecker {
  readonly watches = new Map<number, WatchLog>();
  /** The revision of the last answer to a progress request. */
  progress = 0;
  /** Events and progress notifications seen, so that a run that saw none does not count. */
  events = 0;
  notifications = 0;
  private headerRevision = 0;
  private readonly pending: { request: WatchCreateRequest; refused: boolean }[] = [];
  private readonly model: WatchModel;
  private readonly state: StoreState;
  private readonly fragmentBytes: number;

  constructor(options: { model: WatchModel; state: StoreState; fragmentBytes: number }) {
    this.model = options.model;
    this.state = options.state;
    this.fragmentBytes = options.fragmentBytes;
  }

  /** A watch that is about to be asked for. */
  creating(request: WatchCreateRequest): void {
    const from = request.key.toString('latin1') || '\0';
    const end = request.range_end.toString('latin1');
    const empty = end !== '' && end !== '\0' && from >= end;
    const taken = request.watch_id !== 0 && this.open(request.watch_id) !== undefined;
    this.pending.push({ request, refused: empty || taken });
  }

  /** The client stops reading: its watches may fall behind. */
  stalled(): void {
    for (const watch of this.watches.values()) watch.mayLag = true;
  }

  open(id: number): WatchLog | undefined {
    const watch = this.watches.get(id);
    return watch?.over ? undefined : watch;
  }

  response(response: WatchResponse): void {
    const { revision } = response.header!;
    check(revision >= this.headerRevision, `header went back from ${this.headerRevision} to ${revision}`);
    check(revision === this.state.revision, `header ${revision} at revision ${this.state.revision}`);
    this.headerRevision = revision;
    if (response.created) this.created(response);
    else if (response.watch_id === -1) {
      this.progress = revision;
      for (const [id, watch] of this.watches) if (!watch.over) this.complete(id, watch, revision);
    } else {
      const { watch_id: id } = response;
      const watch = this.watches.get(id);
      if (!watch || watch.over) throw new Error(`a response for watch ${id}, which is not open`);
      if (response.canceled) this.canceled(id, watch, response);
      else if (response.events.length > 0) this.received(id, watch, response);
      else {
        check(watch.request.progress_notify, `watch ${id} is notified without having asked`);
        this.notifications++;
        this.complete(id, watch, revision);
      }
    }
  }

  private created({ watch_id: id, canceled, cancel_reason, header }: WatchResponse): void {
    const { request, refused } = this.pending.shift()!;
    check(canceled === refused, `creation ${refused ? 'taken' : 'refused'}: ${cancel_reason}`);
    if (refused) {
      check(id === -1 && cancel_reason !== '', `refused as watch ${id}: ${cancel_reason}`);
      return;
    }
    check(request.watch_id === 0 || id === request.watch_id, `wanted id ${request.watch_id}, got ${id}`);
    check(!this.open(id), `id ${id} given twice`);
    const start = request.start_revision || header!.revision + 1;
    const past = start <= header!.revision;
    this.watches.set(id, {
      request,
      start,
      mayLag: past,
      doomed: past && start < this.state.compactRevision,
      received: 0,
      fragmented: false,
      progress: 0,
      over: undefined,
    });
  }

  private canceled(id: number, watch: WatchLog, { compact_revision }: WatchResponse): void {
    watch.over = compact_revision > 0 ? 'compacted' : 'cancelled';
    check(!watch.fragmented, `watch ${id} ends within a revision`);
    if (compact_revision === 0) return;
    check(compact_revision === this.state.compactRevision, `watch ${id}: compacted at ${compact_revision}`);
    check(watch.mayLag && watch.start < compact_revision, `watch ${id} had all up to ${compact_revision}`);
  }

  /** W2, W3, W6: everything up to `revision` was brought. */
  private complete(id: number, watch: WatchLog, revision: number): void {
    const { length } = this.model.expected(watch.request, watch.start, revision);
    check(
      watch.received === length,
      `watch ${id}: progress ${revision} after ${watch.received} of ${length}`,
    );
    check(!watch.doomed, `watch ${id} began before the compacted revision and was not told`);
    watch.progress = revision;
  }

  /** A compaction may have taken it away though its revision can still be watched. */
  private gone({ revision, superseded }: ModelEvent): boolean {
    return superseded && revision <= this.state.compactRevision;
  }

  /** W1 to W4 and W7. */
  private received(id: number, watch: WatchLog, { events, fragment, header }: WatchResponse): void {
    const { request, start } = watch;
    const expected = this.model.expected(request, start, header!.revision);
    check(!watch.doomed, `watch ${id} began before the compacted revision`);
    for (const { type, kv, prev_kv } of events) {
      const got = kv!.key.toString('latin1');
      const is = (event: ModelEvent | undefined) =>
        event?.key === got &&
        event.revision === kv!.mod_revision &&
        (type === EventType.put) === Boolean(event.now);
      while (
        expected[watch.received] &&
        !is(expected[watch.received]) &&
        this.gone(expected[watch.received]!)
      )
        watch.received++;
      const want = expected[watch.received++];
      if (!want) throw new Error(`watch ${id}: an event of ${kv!.mod_revision} too many`);
      const { key, revision, now, before } = want;
      check(revision > watch.progress, `watch ${id}: ${revision} after progress ${watch.progress}`);
      check(
        got === key && kv!.mod_revision === revision,
        `watch ${id}: ${got}@${kv!.mod_revision}, not ${key}@${revision}`,
      );
      check(type === (now ? EventType.put : EventType.delete), `watch ${id}: type ${type} at ${revision}`);
      same(kv!, now, `watch ${id} at ${revision}`);
      // What was before can be gone with a compaction.
      const kept = before && request.prev_kv && (prev_kv || revision > this.state.compactRevision);
      check(
        Boolean(kept) === Boolean(prev_kv),
        `watch ${id} at ${revision}: previous ${prev_kv ? 'not wanted' : 'missing'}`,
      );
      if (prev_kv) same(prev_kv, before, `watch ${id}: before ${revision}`);
      this.events++;
    }
    const last = expected[watch.received - 1]!.revision;
    const more = expected.slice(watch.received).find((event) => !this.gone(event))?.revision === last;
    check(!more || (fragment && request.fragment), `watch ${id}: revision ${last} is split`);
    check(!fragment || request.fragment, `watch ${id}: a fragment that was not asked for`);
    const bytes = events.reduce((sum, event) => sum + sizeOf(event), 0);
    check(
      !request.fragment || events.length === 1 || bytes <= this.fragmentBytes,
      `watch ${id}: ${bytes} bytes in one piece`,
    );
    watch.fragmented = fragment;
  }
}

/** Bytes of keys and values, which an event's encoding is never shorter than. */
function sizeOf({ kv, prev_kv }: WatchResponse['events'][number]): number {
  return [kv, prev_kv].reduce((sum, one) => sum + (one ? one.key.length + one.value.length : 0), 0);
}

function same(
  kv: WatchResponse['events'][number]['kv'] & object,
  want: ModelValue | undefined,
  what: string,
): void {
  const got = [kv.value.toString(), kv.create_revision, kv.version].join();
  const expected = [want?.value ?? '', want?.create ?? 0, want?.version ?? 0].join();
  check(got === expected, `${what}: ${got} instead of ${expected}`);
}

function check(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}
