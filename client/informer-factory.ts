import type { KubeObject, Resource } from '../api/object.ts';
import type { ApiClient } from './api-client.ts';
import { Informer } from './informer.ts';
import type { Log } from './log.ts';

/** Hands out one shared informer a resource, so that a process keeps and watches each resource once. */
export class InformerFactory {
  readonly #client: ApiClient;
  readonly #log: Log;
  readonly #informers = new Map<string, Informer<KubeObject>>();

  constructor(options: { client: ApiClient; log: Log }) {
    this.#client = options.client;
    this.#log = options.log;
  }

  informer<T extends KubeObject>(resource: Resource<T>): Informer<T> {
    const id = idOf(resource);
    const existing = this.#informers.get(id);
    // The map is keyed by the resource, whose type parameter is T.
    if (existing) return existing as unknown as Informer<T>;
    const informer = new Informer<T>({ client: this.#client, resource, log: this.#log });
    this.#informers.set(id, informer as unknown as Informer<KubeObject>);
    return informer;
  }

  /** The informer of the resource if somebody has asked for it already. */
  existing(resource: Resource): Informer<KubeObject> | undefined {
    return this.#informers.get(idOf(resource));
  }

  /** Starts every informer handed out so far that does not run yet. */
  start(signal: AbortSignal): void {
    for (const informer of this.#informers.values()) informer.start(signal);
  }

  async synced(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.synced));
  }
}

const idOf = (resource: Resource): string => `${resource.group}/${resource.version}/${resource.plural}`;
