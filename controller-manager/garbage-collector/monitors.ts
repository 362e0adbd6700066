import { setTimeout as delay } from 'node:timers/promises';
import type { KubeObject } from '../../api/object.ts';
import type { ApiClient } from '../../client/api-client.ts';
import { Informer } from '../../client/informer.ts';
import type { InformerFactory } from '../../client/informer-factory.ts';
import type { Log } from '../../client/log.ts';
import { type DiscoveredResource, discover, resourceId } from '../common/discovery.ts';

/** Lists and watches alike answer with metadata only. */
const partial = ['PartialObjectMetadataList', 'PartialObjectMetadata']
  .map((kind) => `application/json;as=${kind};g=meta.k8s.io;v=v1`)
  .join(',');

/** Milliseconds between looks at what the server serves. */
const discoveryPeriod = 30_000;

/**
 * Milliseconds to wait for all first lists. A resource that cannot be listed must not stop the collection of all
 * others: nothing is deleted without a live look at its owners.
 */
const longestSync = 30_000;

/** Own nothing and are many: they expire by themselves. */
const ignored = new Set(['events', 'events.k8s.io']);

const isMonitored = ({ group, plural, verbs }: DiscoveredResource): boolean =>
  !(plural === 'events' && ignored.has(group || 'events')) &&
  ['list', 'watch', 'delete'].every((verb) => verbs.includes(verb));

/** Keeps of an object only what ownership needs. */
function slim(object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, ownerReferences, deletionTimestamp, finalizers } =
    object.metadata ?? {};
  return {
    metadata: {
      name,
      uid,
      resourceVersion,
      ...(namespace && { namespace }),
      ...(ownerReferences && { ownerReferences }),
      ...(deletionTimestamp && { deletionTimestamp }),
      ...(finalizers && { finalizers }),
    },
  };
}

export interface MonitorHandlers {
  observe(object: KubeObject, resource: DiscoveredResource): void;
  remove(object: KubeObject): void;
  /** Called after the set of served resources has changed. */
  changed(): void;
}

/**
 * Follows every resource that can be listed, watched and deleted. Where another controller of this process
 * follows a resource already, its copy is used; of all others only the metadata is fetched and kept.
 */
export class Monitors {
  readonly #client: ApiClient;
  readonly #shared: InformerFactory;
  readonly #log: Log;
  readonly #handlers: MonitorHandlers;
  readonly #own = new Map<string, { stop: AbortController; synced: Promise<void> }>();
  readonly #followed = new Set<string>();
  #byKind = new Map<string, DiscoveredResource>();

  constructor(options: {
    client: ApiClient;
    informers: InformerFactory;
    log: Log;
    handlers: MonitorHandlers;
  }) {
    this.#client = options.client;
    this.#shared = options.informers;
    this.#log = options.log;
    this.#handlers = options.handlers;
  }

  /** The resource that serves a kind, as owner references name it; undefined if none does. */
  resourceOf(apiVersion: string, kind: string): DiscoveredResource | undefined {
    return this.#byKind.get(`${groupOf(apiVersion)}/${kind}`);
  }

  /** Follows what is served now, and resolves when all of it has been seen once. */
  async start(signal: AbortSignal): Promise<void> {
    for (let wait = 100; !signal.aborted; wait = Math.min(wait * 2, 5000)) {
      try {
        await this.#sync(signal);
        break;
      } catch (error) {
        this.#log.warn({ err: (error as Error).message }, 'cannot discover resources, trying again');
        await delay(wait, undefined, { signal }).catch(() => undefined);
      }
    }
    const all = Promise.all([...this.#own.values()].map(({ synced }) => synced));
    const patience = new AbortController();
    const late = delay(longestSync, true, { signal: AbortSignal.any([signal, patience.signal]) }).catch(
      () => false,
    );
    if ((await Promise.race([all.then(() => false), late])) === true)
      this.#log.warn({}, 'some resources cannot be listed, collecting without them');
    patience.abort();
  }

  /** Looks again and again at what is served, until `signal` aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(discoveryPeriod, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.#sync(signal).catch((error: Error) =>
        this.#log.warn({ err: error.message }, 'cannot discover resources, trying again'),
      );
    }
  }

  async #sync(signal: AbortSignal): Promise<void> {
    const { resources, failures } = await discover(this.#client);
    const served = new Map(resources.filter(isMonitored).map((resource) => [resourceId(resource), resource]));
    this.#byKind = new Map(resources.map((resource) => [`${resource.group}/${resource.kind}`, resource]));
    let changed = false;
    for (const [id, resource] of served) {
      if (this.#followed.has(id)) continue;
      this.#followed.add(id);
      this.#begin(id, resource, signal);
      changed = true;
    }
    for (const [id, { stop }] of this.#own) {
      // A group that could not be read is unknown, not gone.
      if (served.has(id) || failures.length > 0) continue;
      stop.abort();
      this.#own.delete(id);
      this.#followed.delete(id);
      changed = true;
    }
    if (changed) this.#handlers.changed();
  }

  #begin(id: string, resource: DiscoveredResource, signal: AbortSignal): void {
    const handlers = {
      add: (object: KubeObject) => this.#handlers.observe(object, resource),
      update: (object: KubeObject) => this.#handlers.observe(object, resource),
      delete: (object: KubeObject) => this.#handlers.remove(object),
    };
    const shared = this.#shared.existing(resource);
    if (shared) {
      shared.on(handlers);
      return;
    }
    const stop = new AbortController();
    const informer = new Informer<KubeObject>({
      client: this.#client,
      log: this.#log,
      resource,
      accept: partial,
      transform: slim,
    });
    informer.on(handlers);
    const until = AbortSignal.any([signal, stop.signal]);
    informer.start(until);
    const stopped = new Promise<void>((resolve) => {
      until.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#own.set(id, { stop, synced: Promise.race([informer.synced, stopped]) });
  }
}

export const groupOf = (apiVersion: string): string =>
  apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
