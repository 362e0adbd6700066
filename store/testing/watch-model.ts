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

  /** One transaction: each key at most once; `undefined` deletes it, if it is there. */
  apply(changes: readonly [key: string, value: string | undefined][]): void {
    const real = changes.filter(([key, value]) => value !== undefined || this.live.has(key));
    if (real.length === 0) return;
    const mod = ++this.revision;
    for (const [key, value] of real) {
      const before = this.live.get(key);
      const create = before?.create ?? mod;
      const now =
        value === undefined ? undefined : { value, create, mod, version: (before?.version ?? 0) + 1 };
      this.events.push({ revision: mod, key, now, before });
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
    require(revision >= this.headerRevision, `header went back from ${this.headerRevision} to ${revision}`);
    require(revision === this.state.revision, `header ${revision} at revision ${this.state.revision}`);
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
        require(watch.request.progress_notify, `watch ${id} is notified without having asked`);
        this.notifications++;
        this.complete(id, watch, revision);
      }
    }
  }

  private created({ watch_id: id, canceled, cancel_reason, header }: WatchResponse): void {
    const { request, refused } = this.pending.shift()!;
    require(canceled === refused, `creation ${refused ? 'taken' : 'refused'}: ${cancel_reason}`);
    if (refused) {
      require(id === -1 && cancel_reason !== '', `refused as watch ${id}: ${cancel_reason}`);
      return;
    }
    require(request.watch_id === 0 || id === request.watch_id, `wanted id ${request.watch_id}, got ${id}`);
    require(!this.open(id), `id ${id} given twice`);
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
    require(!watch.fragmented, `watch ${id} ends within a revision`);
    if (compact_revision === 0) return;
    require(compact_revision === this.state.compactRevision, `watch ${id}: compacted at ${compact_revision}`);
    require(watch.mayLag && watch.start < compact_revision, `watch ${id} had all up to ${compact_revision}`);
  }

  /** W2, W3, W6: everything up to `revision` was brought. */
  private complete(id: number, watch: WatchLog, revision: number): void {
    const { length } = this.model.expected(watch.request, watch.start, revision);
    require(watch.received ===
      length, `watch ${id}: progress ${revision} after ${watch.received} of ${length}`);
    require(!watch.doomed, `watch ${id} began before the compacted revision and was not told`);
    watch.progress = revision;
  }

  /** W1 to W4 and W7. */
  private received(id: number, watch: WatchLog, { events, fragment, header }: WatchResponse): void {
    const { request, start } = watch;
    const expected = this.model.expected(request, start, header!.revision);
    require(!watch.doomed, `watch ${id} began before the compacted revision`);
    for (const { type, kv, prev_kv } of events) {
      const want = expected[watch.received++];
      if (!want) throw new Error(`watch ${id}: an event of ${kv!.mod_revision} too many`);
      const { key, revision, now, before } = want;
      require(revision > watch.progress, `watch ${id}: ${revision} after progress ${watch.progress}`);
      const got = kv!.key.toString('latin1');
      require(got === key &&
        kv!.mod_revision === revision, `watch ${id}: ${got}@${kv!.mod_revision}, not ${key}@${revision}`);
      require(type === (now ? EventType.put : EventType.delete), `watch ${id}: type ${type} at ${revision}`);
      same(kv!, now, `watch ${id} at ${revision}`);
      // What was before can be gone with a compaction.
      const kept = before && request.prev_kv && (prev_kv || revision > this.state.compactRevision);
      require(Boolean(kept) ===
        Boolean(prev_kv), `watch ${id} at ${revision}: previous ${prev_kv ? 'not wanted' : 'missing'}`);
      if (prev_kv) same(prev_kv, before, `watch ${id}: before ${revision}`);
      this.events++;
    }
    const last = expected[watch.received - 1]!.revision;
    const more = expected[watch.received]?.revision === last;
    require(!more || (fragment && request.fragment), `watch ${id}: revision ${last} is split`);
    require(!fragment || request.fragment, `watch ${id}: a fragment that was not asked for`);
    const bytes = events.reduce((sum, event) => sum + sizeOf(event), 0);
    require(!request.fragment ||
      events.length === 1 ||
      bytes <= this.fragmentBytes, `watch ${id}: ${bytes} bytes in one piece`);
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
  require(got === expected, `${what}: ${got} instead of ${expected}`);
}

function require(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}
