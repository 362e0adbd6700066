import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Input } from '../../api/etcd/codec.ts';
import { CompareResult, CompareTarget, type RequestOp, type TxnResponse } from '../../api/etcd/messages.ts';
import type { KubeObject } from '../../api/object.ts';
import type { CacheEntry, FieldReader } from './cache-entry.ts';
import { encodeForStore, withResourceVersion } from './encoding.ts';
import type { EtcdClient } from './etcd-client.ts';
import { EtcdError, GrpcCode } from './etcd-error.ts';
import { ResourceCache } from './resource-cache.ts';
import { type StoredChange, StoreFeed } from './store-feed.ts';

/** What to do with an object, decided from its current state. */
export type Decision = { put: KubeObject; ttlSeconds?: number } | 'delete' | 'keep';

/** The outcome of a write. */
export interface Written {
  /** The object as clients see it; for a deletion its last state. */
  bytes: Buffer;
  revision: number;
  /** False if the object was already so and nothing was written. */
  changed: boolean;
}

const retryWindow = 4_000;
const retryDelay = 100;
// Keys that expire together share a lease; they live up to this much longer than asked.
const leaseShare = 60;

/**
 * Objects in the store: reads from caches that follow it, writes guarded by the revision they are based on.
 *
 * Invariant: an object is only ever replaced by one computed from exactly the revision it replaces.
 */
export class Storage {
  readonly #client: EtcdClient;
  readonly #prefix: string;
  readonly #feed: StoreFeed;
  readonly #caches = new Map<string, ResourceCache>();
  readonly #leases = new Map<number, { id: Promise<bigint>; renewAt: number }>();
  #revisionRead: Promise<number> | undefined;
  #nextRevisionRead: Promise<number> | undefined;

  constructor(options: { client: EtcdClient; prefix: string; log: Logger }) {
    this.#client = options.client;
    this.#prefix = `${options.prefix.replace(/\/+$/, '')}/`;
    this.#feed = new StoreFeed({
      client: options.client,
      prefix: this.#prefix,
      log: options.log,
      sink: {
        reset: (items, revision) => this.#reset(items, revision),
        changes: (changes) => {
          for (const change of changes) this.#route(change);
        },
      },
    });
  }

  /** Registers a resource by its path below the prefix (`pods`, `services/specs`). Call before {@link start}. */
  addResource(path: string, fieldsOf: FieldReader): ResourceCache {
    const cache = new ResourceCache({ fieldsOf });
    this.#caches.set(path, cache);
    return cache;
  }

  start(): void {
    this.#feed.start();
  }

  stop(): void {
    this.#feed.stop();
  }

  /** The revision that the caches show. Zero before the first load. */
  get revision(): number {
    return this.#feed.revision;
  }

  get connected(): boolean {
    return this.#feed.connected;
  }

  /** Resolves when the caches show `revision`, or false after `milliseconds`. */
  async reached(revision: number, milliseconds: number): Promise<boolean> {
    if (this.#feed.revision >= revision) return true;
    const controller = new AbortController();
    const timeout = delay(milliseconds, false, { signal: controller.signal }).catch(() => false);
    const result = await Promise.race([this.#feed.reached(revision).then(() => true), timeout]);
    controller.abort();
    return result;
  }

  /**
   * Resolves when the caches show everything that was written before the call.
   * @throws {EtcdError} if the store does not answer
   */
  async consistent(): Promise<void> {
    const revision = await this.#currentRevision();
    if (!(await this.reached(revision, 10_000)))
      throw new EtcdError(
        GrpcCode.deadlineExceeded,
        'the watch cache did not catch up with the store',
        false,
      );
  }

  /** One read of the store's revision serves all callers that came before it started. */
  #currentRevision(): Promise<number> {
    this.#nextRevisionRead ??= (this.#revisionRead ?? Promise.resolve(0))
      .catch(() => 0)
      .then(() => {
        this.#nextRevisionRead = undefined;
        this.#revisionRead = this.#client
          .range({ key: Buffer.from(this.#prefix), count_only: true })
          .then((response) => response.header!.revision);
        return this.#revisionRead;
      });
    return this.#nextRevisionRead;
  }

  /** Reads one object past the caches. */
  async read(path: string, key: string): Promise<CacheEntry | undefined> {
    const response = await this.#client.range({ key: this.#key(path, key) });
    const kv = response.kvs[0];
    return kv && this.#cache(path).entryOf(key, kv.value, kv.mod_revision);
  }

  /** All objects of a resource at a past revision, in key order. @throws {EtcdError} if it was compacted */
  async listAt(path: string, keyPrefix: string, revision: number): Promise<CacheEntry[]> {
    const cache = this.#cache(path);
    const base = `${this.#prefix}${path}/`;
    const start = `${base}${keyPrefix}`;
    const response = await this.#client.range({
      key: Buffer.from(start),
      range_end: Buffer.from(`${start.slice(0, -1)}0`),
      revision,
    });
    return response.kvs.map((kv) =>
      cache.entryOf(kv.key.toString().slice(base.length), kv.value, kv.mod_revision),
    );
  }

  /** Writes a new object; undefined if the key is taken. */
  async create(
    path: string,
    key: string,
    object: KubeObject,
    ttlSeconds?: number,
  ): Promise<Written | undefined> {
    const value = encodeForStore(object);
    const outcome = await this.#swap(path, key, 0, value, ttlSeconds);
    return 'won' in outcome ? outcome.won : undefined;
  }

  /**
   * Replaces, deletes or keeps an object. `decide` is called with its state (possibly several times, first with
   * the cache's, then with newer ones) until its decision could be carried out on exactly that state. What it
   * throws is rethrown once the state it saw is known to be current.
   */
  async update(
    path: string,
    key: string,
    decide: (current: CacheEntry | undefined) => Decision | Promise<Decision>,
  ): Promise<Written | undefined> {
    let current = this.#cache(path).get(key);
    let fresh = false;
    for (;;) {
      let decision: Decision;
      try {
        decision = await decide(current);
      } catch (error) {
        if (fresh) throw error;
        const stored = await this.read(path, key);
        fresh = true;
        if (stored?.revision === current?.revision) throw error;
        current = stored;
        continue;
      }
      const value = typeof decision === 'object' ? encodeForStore(decision.put) : undefined;
      const same =
        decision === 'keep' ||
        (value && current && withResourceVersion(value, current.revision).equals(current.bytes));
      if (same || (decision === 'delete' && !current)) {
        if (fresh) return current && { bytes: current.bytes, revision: current.revision, changed: false };
        const stored = await this.read(path, key);
        fresh = true;
        if (stored?.revision === current?.revision)
          return current && { bytes: current.bytes, revision: current.revision, changed: false };
        current = stored;
        continue;
      }
      const ttlSeconds = typeof decision === 'object' ? decision.ttlSeconds : undefined;
      const outcome = await this.#swap(path, key, current?.revision ?? 0, value, ttlSeconds);
      if ('won' in outcome)
        return outcome.won ?? { bytes: current!.bytes, revision: outcome.revision, changed: true };
      current = outcome.lost;
      fresh = true;
    }
  }

  /** Puts (or deletes, without a value) a key if it is still at `expected` (0: absent). */
  async #swap(
    path: string,
    key: string,
    expected: number,
    value: Buffer | undefined,
    ttlSeconds: number | undefined,
  ): Promise<{ won: Written | undefined; revision: number } | { lost: CacheEntry | undefined }> {
    const storeKey = this.#key(path, key);
    const lease = ttlSeconds ? await this.#lease(ttlSeconds) : 0n;
    const action: Input<RequestOp> = value
      ? { request_put: { key: storeKey, value, lease } }
      : { request_delete_range: { key: storeKey } };
    const { response, ambiguous } = await this.#txn(storeKey, expected, action);
    const revision = response.header!.revision;
    if (response.succeeded)
      return {
        won: value && { bytes: withResourceVersion(value, revision), revision, changed: true },
        revision,
      };
    const kv = response.responses[0]?.response_range?.kvs[0];
    // An attempt whose answer was lost did win after all: nobody else writes these very bytes (or absence).
    if (ambiguous && value && kv?.value.equals(value)) {
      const bytes = withResourceVersion(value, kv.mod_revision);
      return { won: { bytes, revision: kv.mod_revision, changed: true }, revision: kv.mod_revision };
    }
    if (ambiguous && !value && !kv) return { won: undefined, revision };
    return { lost: kv && this.#cache(path).entryOf(key, kv.value, kv.mod_revision) };
  }

  /** Repeats the guarded transaction through a short absence of the store; the guard makes that safe. */
  async #txn(
    key: Buffer,
    expected: number,
    action: Input<RequestOp>,
  ): Promise<{ response: TxnResponse; ambiguous: boolean }> {
    const deadline = Date.now() + retryWindow;
    let ambiguous = false;
    for (;;) {
      try {
        const response = await this.#client.txn({
          compare: [{ target: CompareTarget.mod, result: CompareResult.equal, key, mod_revision: expected }],
          success: [action],
          failure: [{ request_range: { key } }],
        });
        return { response, ambiguous };
      } catch (error) {
        if (!(error instanceof EtcdError) || error.code !== GrpcCode.unavailable || Date.now() > deadline)
          throw error;
        ambiguous ||= error.ambiguous;
        await delay(retryDelay);
      }
    }
  }

  async #lease(ttlSeconds: number): Promise<bigint> {
    const now = Date.now();
    const shared = this.#leases.get(ttlSeconds);
    if (shared && shared.renewAt > now) return shared.id;
    const id = this.#client.leaseGrant({ TTL: ttlSeconds + leaseShare }).then((response) => response.ID);
    this.#leases.set(ttlSeconds, { id, renewAt: now + leaseShare * 1000 });
    id.catch(() => this.#leases.delete(ttlSeconds));
    return id;
  }

  #key(path: string, key: string): Buffer {
    return Buffer.from(`${this.#prefix}${path}/${key}`);
  }

  #cache(path: string): ResourceCache {
    const cache = this.#caches.get(path);
    if (!cache) throw new TypeError(`no such resource: ${path}`);
    return cache;
  }

  /** Which resource a store key belongs to: the longest registered path it lies under. */
  #split(key: string): { path: string; key: string } | undefined {
    const rest = key.slice(this.#prefix.length);
    const first = rest.indexOf('/');
    if (first < 0) return undefined;
    const second = rest.indexOf('/', first + 1);
    if (second > 0) {
      const path = rest.slice(0, second);
      if (this.#caches.has(path)) return { path, key: rest.slice(second + 1) };
    }
    const path = rest.slice(0, first);
    return this.#caches.has(path) ? { path, key: rest.slice(first + 1) } : undefined;
  }

  #route(change: StoredChange): void {
    const target = this.#split(change.key);
    if (target) this.#caches.get(target.path)!.change({ ...change, key: target.key });
  }

  #reset(items: readonly StoredChange[], revision: number): void {
    const byPath = new Map<string, StoredChange[]>();
    for (const path of this.#caches.keys()) byPath.set(path, []);
    for (const item of items) {
      const target = this.#split(item.key);
      if (target) byPath.get(target.path)!.push({ ...item, key: target.key });
    }
    for (const [path, changes] of byPath) this.#caches.get(path)!.reset(changes, revision);
  }
}
