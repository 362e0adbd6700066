import { setTimeout as delay } from 'node:timers/promises';
import { type KubeObject, keyOf, type Resource, type WatchEvent } from '../api/object.ts';
import type { ApiClient } from './api-client.ts';
import type { Log } from './log.ts';
import { isExpired } from './status-error.ts';

export interface InformerHandlers<T> {
  add?(object: T): void;
  /** Also called after a relist for every object whose resourceVersion differs. */
  update?(object: T, old: T): void;
  delete?(object: T): void;
}

export interface InformerOptions<T extends KubeObject> {
  client: ApiClient;
  resource: Resource<T>;
  log: Log;
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Media type to ask for, such as `metadataOnly`. */
  accept?: string;
  /** Drops what the owner never reads before an object is kept, to save memory. */
  transform?: (object: T) => T;
}

type IndexFunction<T> = (object: T) => readonly string[];

/** First and longest wait after a failed list or watch, in milliseconds. */
const backOff = { first: 100, longest: 10_000 };

/**
 * A local copy of one resource, kept by list and watch.
 *
 * Promises: the copy is at every moment a state the server had, and only moves forward; handlers are called
 * in the order of the changes, after the copy holds the change; no change between list and watch is missed
 * (the watch starts at the list's resourceVersion, and a history that is gone leads to a new list whose
 * difference is delivered). Objects handed out are shared: never change them.
 */
export class Informer<T extends KubeObject> {
  readonly #options: InformerOptions<T>;
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<string, { of: IndexFunction<T>; keys: Map<string, Set<string>> }>();
  readonly #handlers: InformerHandlers<T>[] = [];
  readonly #listed = Promise.withResolvers<void>();
  #resourceVersion: string | undefined;
  #hasSynced = false;
  #started: Promise<void> | undefined;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
  }

  /** Resolves after the first complete list has been delivered to the handlers. */
  get synced(): Promise<void> {
    return this.#listed.promise;
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** The collection's version that the copy reflects. */
  get resourceVersion(): string | undefined {
    return this.#resourceVersion;
  }

  /** Adds handlers; what the copy already holds is delivered to them as added at once. */
  on(handlers: InformerHandlers<T>): this {
    this.#handlers.push(handlers);
    if (handlers.add) for (const object of this.#objects.values()) this.#guard(() => handlers.add?.(object));
    return this;
  }

  /** Makes `byIndex(name, value)` answer in the time of the result's size. */
  addIndex(name: string, of: IndexFunction<T>): this {
    if (this.#indexes.has(name)) return this;
    const index = { of, keys: new Map<string, Set<string>>() };
    this.#indexes.set(name, index);
    for (const [key, object] of this.#objects) addToIndex(index.keys, of(object), key);
    return this;
  }

  /** By `namespace/name`, or `name` for cluster-scoped objects. */
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  get size(): number {
    return this.#objects.size;
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  byIndex(name: string, value: string): T[] {
    const index = this.#indexes.get(name);
    if (!index) throw new Error(`informer of ${this.#options.resource.plural} has no index ${name}`);
    return [...(index.keys.get(value) ?? [])].map((key) => this.#objects.get(key)!);
  }

  /** Begins to follow the server until `signal` aborts. Starting twice has no effect. */
  start(signal: AbortSignal): void {
    this.#started ??= this.#run(signal);
  }

  /** Resolves once the informer has stopped after its signal. */
  async stopped(): Promise<void> {
    await this.#started;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { log, resource } = this.#options;
    let wait = backOff.first;
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        await this.#watch(signal, () => {
          wait = backOff.first;
        });
      } catch (error) {
        if (signal.aborted) return;
        if (isExpired(error)) {
          this.#resourceVersion = undefined;
          continue;
        }
        log.warn(
          { resource: resource.plural, err: (error as Error).message },
          'list or watch failed, trying again',
        );
        // Jitter keeps the informers of all components from coming back in the same instant.
        await delay(wait * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
        wait = Math.min(wait * 2, backOff.longest);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, resource, namespace, labelSelector, fieldSelector, accept } = this.#options;
    const list = await client.list<T>(
      resource,
      { namespace, labelSelector, fieldSelector, resourceVersion: '0' },
      accept,
    );
    if (signal.aborted) return;
    const seen = new Set<string>();
    for (const item of list.items) {
      // Lists leave out the items' type; handlers and event recorders need it.
      item.apiVersion ??= resource.group ? `${resource.group}/${resource.version}` : resource.version;
      item.kind ??= resource.kind;
      seen.add(keyOf(item));
      this.#store(item);
    }
    for (const [key, object] of this.#objects) if (!seen.has(key)) this.#remove(key, object);
    this.#resourceVersion = list.metadata.resourceVersion ?? '0';
    if (!this.#hasSynced) {
      this.#hasSynced = true;
      this.#listed.resolve();
    }
  }

  async #watch(signal: AbortSignal, progressed: () => void): Promise<void> {
    const { client, resource, namespace, labelSelector, fieldSelector, accept } = this.#options;
    const options = {
      namespace,
      labelSelector,
      fieldSelector,
      resourceVersion: this.#resourceVersion,
      allowWatchBookmarks: true,
      // Spread over a few minutes, so that watches do not end together.
      timeoutSeconds: 300 + Math.floor(Math.random() * 300),
    };
    const began = performance.now();
    for await (const events of client.watch<T>(resource, options, signal, accept)) {
      progressed();
      for (const event of events) this.#apply(event);
    }
    // A server that ends every watch at once must not be asked in a tight loop.
    if (!signal.aborted && performance.now() - began < 1000) throw new Error('watch ended at once');
  }

  #apply(event: WatchEvent<T>): void {
    if (event.type === 'ERROR') return;
    const { object } = event;
    if (event.type === 'DELETED') this.#remove(keyOf(object), object);
    else if (event.type !== 'BOOKMARK') this.#store(object);
    this.#resourceVersion = object.metadata?.resourceVersion ?? this.#resourceVersion;
  }

  #store(received: T): void {
    const object = this.#options.transform ? this.#options.transform(received) : received;
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old && old.metadata?.resourceVersion === object.metadata?.resourceVersion) return;
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) {
      if (old) removeFromIndex(index.keys, index.of(old), key);
      addToIndex(index.keys, index.of(object), key);
    }
    const replaced = old && old.metadata?.uid !== object.metadata?.uid;
    for (const handlers of this.#handlers)
      this.#guard(() => {
        if (replaced) handlers.delete?.(old);
        if (old && !replaced) handlers.update?.(object, old);
        else handlers.add?.(object);
      });
  }

  #remove(key: string, last: T): void {
    const old = this.#objects.get(key);
    if (!old) return;
    this.#objects.delete(key);
    for (const index of this.#indexes.values()) removeFromIndex(index.keys, index.of(old), key);
    for (const handlers of this.#handlers) this.#guard(() => handlers.delete?.(last));
  }

  /** A handler that throws is a bug in its owner; it must not cost the other handlers their event. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.log.error(
        { err: error, resource: this.#options.resource.plural },
        'informer handler failed',
      );
    }
  }
}

function addToIndex(index: Map<string, Set<string>>, values: readonly string[], key: string): void {
  for (const value of values) {
    const keys = index.get(value);
    if (keys) keys.add(key);
    else index.set(value, new Set([key]));
  }
}

function removeFromIndex(index: Map<string, Set<string>>, values: readonly string[], key: string): void {
  for (const value of values) {
    const keys = index.get(value);
    keys?.delete(key);
    if (keys?.size === 0) index.delete(value);
  }
}
