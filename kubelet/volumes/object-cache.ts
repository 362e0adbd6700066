import type { KubeObject, Resource } from '../../api/object.ts';
import { configMaps, secrets } from '../../api/resources.ts';
import type { ConfigMap, Pod, Secret } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import { Informer } from '../../client/informer.ts';
import type { Log } from '../../client/log.ts';
import { isNotFound } from '../../client/status-error.ts';
import type { NamespaceObjects } from '../environment/environment.ts';
import { referencedNames } from './references.ts';

interface Watched {
  informer: Informer<KubeObject>;
  stop: AbortController;
  /** Pods that use the object. */
  users: Set<string>;
}

const syncTimeout = 10_000;

/** An object that pods use could not be read yet. */
export class NotSyncedError extends Error {
  override name = 'NotSyncedError';
}

/**
 * ConfigMaps and Secrets that the node's pods use, each watched by name and no others: a node may read only what
 * its pods need. https://kubernetes.io/docs/reference/access-authn-authz/node/
 */
export class ObjectCache {
  readonly #client: ApiClient;
  readonly #log: Log;
  readonly #changed: (uid: string) => void;
  readonly #watched = new Map<string, Watched>();
  readonly #keysOfPod = new Map<string, Set<string>>();

  constructor(options: { client: ApiClient; log: Log; changed: (uid: string) => void }) {
    this.#client = options.client;
    this.#log = options.log;
    this.#changed = options.changed;
  }

  /**
   * Begins to follow everything that the pod refers to and waits until it is known.
   * @throws {NotSyncedError} with the kubelet's words, if the apiserver does not tell in time
   */
  async follow(pod: Pod): Promise<NamespaceObjects> {
    const uid = pod.metadata?.uid ?? '';
    const namespace = pod.metadata?.namespace ?? '';
    const names = referencedNames(pod);
    const keys = new Set<string>();
    const waits: Promise<void>[] = [];
    for (const name of names.configMaps) waits.push(this.#use(uid, keys, configMaps, namespace, name));
    for (const name of names.secrets) waits.push(this.#use(uid, keys, secrets, namespace, name));
    const before = this.#keysOfPod.get(uid) ?? new Set();
    this.#keysOfPod.set(uid, keys);
    for (const key of before) if (!keys.has(key)) this.#release(uid, key);
    if (waits.length > 0) await Promise.all(waits);
    return {
      configMap: (name) => this.#get(configMaps, namespace, name) as ConfigMap | undefined,
      secret: (name) => this.#get(secrets, namespace, name) as Secret | undefined,
    };
  }

  /** One Secret as it is now, for pulling an image; undefined if there is none. */
  async secret(namespace: string, name: string): Promise<Secret | undefined> {
    const watched = this.#get(secrets, namespace, name);
    if (watched) return watched as Secret;
    try {
      return await this.#client.get(secrets, { namespace, name });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Stops following what only this pod used. */
  forget(uid: string): void {
    for (const key of this.#keysOfPod.get(uid) ?? []) this.#release(uid, key);
    this.#keysOfPod.delete(uid);
  }

  close(): void {
    for (const { stop } of this.#watched.values()) stop.abort();
    this.#watched.clear();
  }

  #get(resource: Resource, namespace: string, name: string): KubeObject | undefined {
    return this.#watched.get(`${resource.plural}/${namespace}/${name}`)?.informer.get(`${namespace}/${name}`);
  }

  async #use(
    uid: string,
    keys: Set<string>,
    resource: Resource,
    namespace: string,
    name: string,
  ): Promise<void> {
    const key = `${resource.plural}/${namespace}/${name}`;
    keys.add(key);
    const watched = this.#watched.get(key) ?? this.#watch(key, resource, namespace, name);
    watched.users.add(uid);
    if (watched.informer.hasSynced) return;
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () =>
        reject(
          new NotSyncedError(
            `failed to sync ${resource.kind.toLowerCase()} cache: timed out waiting for the condition`,
          ),
        ),
      syncTimeout,
    );
    try {
      await Promise.race([watched.informer.synced, promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #watch(key: string, resource: Resource, namespace: string, name: string): Watched {
    const informer = new Informer<KubeObject>({
      client: this.#client,
      resource,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      log: this.#log,
    });
    const watched: Watched = { informer, stop: new AbortController(), users: new Set() };
    const changed = () => {
      if (informer.hasSynced) for (const uid of watched.users) this.#changed(uid);
    };
    informer.on({ add: changed, update: changed, delete: changed });
    informer.start(watched.stop.signal);
    this.#watched.set(key, watched);
    return watched;
  }

  #release(uid: string, key: string): void {
    const watched = this.#watched.get(key);
    if (!watched) return;
    watched.users.delete(uid);
    if (watched.users.size > 0) return;
    watched.stop.abort();
    this.#watched.delete(key);
  }
}
