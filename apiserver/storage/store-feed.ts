import type { Logger } from 'pino';
import { EventType, type KeyValue, type WatchResponse } from '../../api/etcd/messages.ts';
import type { EtcdClient } from './etcd-client.ts';
import { type EtcdError, isCompacted } from './etcd-error.ts';

export interface StoredChange {
  key: string;
  /** Absent for a deletion. */
  value: Buffer | undefined;
  revision: number;
}

export interface FeedSink {
  /** The store's whole content under the prefix at a revision. What is not in it does not exist. */
  reset(items: readonly StoredChange[], revision: number): void;
  /** Changes in the store's order, complete revisions only. */
  changes(changes: readonly StoredChange[], revision: number): void;
}

const pageSize = 1000;
const retryDelay = 250;
const zero = Buffer.from([0]);

/** The end of the range of keys that begin with `prefix`. */
export function prefixEnd(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  for (let i = end.length - 1; i >= 0; i--)
    if (end[i]! < 0xff) {
      end[i] = end[i]! + 1;
      return end.subarray(0, i + 1);
    }
  return zero;
}

/**
 * Follows the store: its content once, then every change in order, over one watch.
 *
 * It watches all keys of the store, not only the prefix: then every revision that the store ever reports is also
 * seen here, so {@link reached} needs no progress requests (which in etcd before 3.4.25 and 3.5.8 can overtake
 * events). After a lost connection it goes on from the last revision seen, without gap or repeat; if that was
 * compacted away meanwhile, it starts over with `reset`.
 */
export class StoreFeed {
  readonly #client: EtcdClient;
  readonly #prefix: string;
  readonly #sink: FeedSink;
  readonly #log: Logger;
  readonly #waiters: { revision: number; resolve(): void }[] = [];
  #revision = 0;
  #stop: (() => void) | undefined;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #connected = false;

  constructor(options: { client: EtcdClient; prefix: string; sink: FeedSink; log: Logger }) {
    this.#client = options.client;
    this.#prefix = options.prefix;
    this.#sink = options.sink;
    this.#log = options.log;
  }

  /** The revision up to which everything has been handed to the sink. */
  get revision(): number {
    return this.#revision;
  }

  /** Whether the watch stands. */
  get connected(): boolean {
    return this.#connected;
  }

  start(): void {
    void this.#load();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#stop?.();
  }

  /** Resolves when the sink has everything up to `revision`; never rejects. */
  reached(revision: number): Promise<void> {
    if (this.#revision >= revision) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ revision, resolve }));
  }

  async #load(): Promise<void> {
    try {
      const items: StoredChange[] = [];
      let key: Buffer = Buffer.from(this.#prefix);
      const range_end = prefixEnd(this.#prefix);
      let revision = 0;
      for (;;) {
        const page = await this.#client.range({ key, range_end, limit: pageSize, revision });
        revision ||= page.header!.revision;
        for (const kv of page.kvs)
          items.push({ key: kv.key.toString(), value: kv.value, revision: kv.mod_revision });
        if (!page.more) break;
        key = Buffer.concat([page.kvs.at(-1)!.key, zero]);
      }
      if (this.#stopped) return;
      this.#sink.reset(items, revision);
      this.#advance(revision);
      this.#watch();
    } catch (error) {
      if (this.#stopped) return;
      this.#log.warn({ err: error }, 'cannot read the store, trying again');
      this.#timer = setTimeout(() => void this.#load(), retryDelay);
    }
  }

  #watch(): void {
    this.#stop = this.#client.watch(
      { key: zero, range_end: zero, start_revision: this.#revision + 1 },
      {
        response: (response) => this.#receive(response),
        end: (error) => this.#broken(error),
      },
    );
  }

  #receive(response: WatchResponse): void {
    this.#connected = true;
    if (response.canceled) {
      this.#stop?.();
      this.#connected = false;
      if (response.compact_revision) this.#startOver();
      else this.#retry(response.cancel_reason);
      return;
    }
    if (!response.events.length) return;
    const changes: StoredChange[] = [];
    let revision = this.#revision;
    for (const event of response.events) {
      const kv = event.kv as KeyValue;
      revision = kv.mod_revision;
      if (revision <= this.#revision) continue;
      const key = kv.key.toString();
      if (!key.startsWith(this.#prefix)) continue;
      changes.push({ key, value: event.type === EventType.delete ? undefined : kv.value, revision });
    }
    this.#sink.changes(changes, revision);
    this.#advance(revision);
  }

  #advance(revision: number): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    if (!this.#waiters.length) return;
    const ready = this.#waiters.filter((waiter) => waiter.revision <= revision);
    if (!ready.length) return;
    const rest = this.#waiters.filter((waiter) => waiter.revision > revision);
    this.#waiters.length = 0;
    this.#waiters.push(...rest);
    for (const waiter of ready) waiter.resolve();
  }

  #broken(error: EtcdError): void {
    this.#connected = false;
    if (this.#stopped) return;
    if (isCompacted(error)) this.#startOver();
    else this.#retry(error.message);
  }

  #startOver(): void {
    this.#log.warn('the store compacted revisions not yet seen, reading everything again');
    void this.#load();
  }

  #retry(reason: string): void {
    this.#log.warn({ reason }, 'the watch on the store ended, watching again');
    this.#timer = setTimeout(() => this.#watch(), retryDelay);
  }
}
