import type { KubeObject } from '../../api/object.ts';
import type { OwnerReference } from '../../api/types/meta-v1.ts';
import { type ApiClient, pathOf } from '../../client/api-client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { Log } from '../../client/log.ts';
import { isConflict, isNotFound } from '../../client/status-error.ts';
import {
  type Controller,
  type ControllerContext,
  type ControllerDeclaration,
  QueueController,
} from '../common/context.ts';
import type { DiscoveredResource } from '../common/discovery.ts';
import {
  foregroundFinalizer,
  type GraphEffects,
  type GraphNode,
  type Identity,
  OwnershipGraph,
  orphanFinalizer,
} from './graph.ts';
import { Monitors } from './monitors.ts';
import { type OwnerState, planObject, withoutOwners } from './plan.ts';

const partialObject = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

/** Owners that were found to be gone, remembered so that each need not be asked for by every dependent. */
const rememberedAbsent = 500;

/** Deletes what has lost its owners, and carries out foreground and orphaning deletion. */
class GarbageCollector implements Controller {
  readonly #client: ApiClient;
  readonly #events: EventRecorder;
  readonly #log: Log;
  readonly #graph = new OwnershipGraph();
  readonly #monitors: Monitors;
  readonly #examinations: QueueController;
  readonly #orphanings: QueueController;
  readonly #absent = new Set<string>();

  constructor(context: ControllerContext) {
    this.#client = context.client;
    this.#log = context.log;
    this.#events = context.events('garbage-collector-controller');
    const { client, informers, log } = context;
    this.#examinations = new QueueController({ sync: (uid) => this.#examine(uid), workers: 20, log });
    this.#orphanings = new QueueController({ sync: (uid) => this.#orphan(uid), workers: 5, log });
    this.#monitors = new Monitors({
      client,
      informers,
      log,
      handlers: {
        observe: (object, resource) => this.#apply(this.#graph.observe(object, resource)),
        remove: (object) => this.#removed(object.metadata?.uid ?? ''),
        changed: () => this.#log.debug({ objects: this.#graph.size }, 'served resources changed'),
      },
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#monitors.start(signal);
    await Promise.all([
      this.#monitors.follow(signal),
      this.#examinations.run(signal),
      this.#orphanings.run(signal),
    ]);
  }

  #apply(effects: GraphEffects): void {
    for (const uid of effects.examine) this.#examinations.queue.add(uid);
    for (const uid of effects.orphan) this.#orphanings.queue.add(uid);
    for (const { dependent, reference } of effects.misplaced) this.#tellMisplaced(dependent, reference);
  }

  #removed(uid: string): void {
    const node = this.#graph.get(uid);
    if (node && !node.virtual) this.#noteAbsent(uid, node.identity.namespace);
    this.#apply(this.#graph.remove(uid));
  }

  /** Absence is of a namespace: what a dependent cannot see from its own may exist elsewhere. */
  #noteAbsent(uid: string, namespace: string): void {
    const key = `${uid} ${namespace}`;
    this.#absent.delete(key);
    this.#absent.add(key);
    if (this.#absent.size <= rememberedAbsent) return;
    for (const oldest of this.#absent) {
      this.#absent.delete(oldest);
      return;
    }
  }

  #tellMisplaced(dependent: Identity, { apiVersion, kind, name, uid }: OwnerReference): void {
    const owner = `${apiVersion}/${kind}, namespace: ${dependent.namespace}, name: ${name}, uid: ${uid}`;
    this.#events.event(
      {
        apiVersion: dependent.apiVersion,
        kind: dependent.kind,
        name: dependent.name,
        namespace: dependent.namespace || undefined,
        uid: dependent.uid,
      },
      'Warning',
      'OwnerRefInvalidNamespace',
      `ownerRef [${owner}] does not exist in namespace ${JSON.stringify(dependent.namespace)}`,
    );
  }

  async #examine(uid: string): Promise<void> {
    const node = this.#graph.get(uid);
    if (!node || (node.beingDeleted && !node.deletingDependents)) return;
    if (node.virtual) {
      // Only heard of: those who named it say where it should be. If it is not there they lose an owner.
      if ((await this.#stateOf(node.identity)) === 'dangling')
        for (const dependent of node.dependents) this.#examinations.queue.add(dependent.identity.uid);
      return;
    }
    const object = await this.#live(node.identity);
    if (!object) {
      this.#removed(uid);
      return;
    }
    if (node.deletingDependents) {
      await this.#waitForDependents(node, object);
      return;
    }
    const owners = [];
    for (const reference of object.metadata?.ownerReferences ?? [])
      owners.push({ reference, state: await this.#ownerState(node.identity, reference) });
    const dependents = {
      any: node.dependents.size > 0,
      waiting: [...node.dependents].some((dependent) => dependent.deletingDependents),
    };
    const action = planObject({ object, owners, dependents });
    switch (action.type) {
      case 'nothing':
        return;
      case 'dropOwners':
        await this.#patchOwners(node.identity, object, withoutOwners(object, action.uids));
        return;
      case 'delete':
        if (action.unblock) await this.#unblock(node.identity, object);
        await this.#delete(node.identity, action.propagation);
    }
  }

  /** In the foreground: the dependents that block go first, then the owner is let go. */
  async #waitForDependents(node: GraphNode, object: KubeObject): Promise<void> {
    const blocking = [...node.dependents].filter((dependent) =>
      dependent.owners.some(({ uid, blockOwnerDeletion }) => uid === node.identity.uid && blockOwnerDeletion),
    );
    if (blocking.length === 0) await this.#removeFinalizer(node.identity, object, foregroundFinalizer);
    for (const dependent of blocking)
      if (!dependent.deletingDependents) this.#examinations.queue.add(dependent.identity.uid);
  }

  #ownerState(dependent: Identity, { apiVersion, kind, name, uid }: OwnerReference): Promise<OwnerState> {
    return this.#stateOf({
      apiVersion,
      kind,
      name,
      uid,
      namespace: dependent.namespace,
      resource: undefined,
    });
  }

  /** What is true of an owner now, for a dependent in its namespace. */
  async #stateOf(owner: Identity): Promise<OwnerState> {
    const resource = this.#monitors.resourceOf(owner.apiVersion, owner.kind);
    if (!resource)
      throw new Error(`no resource serves owner ${owner.apiVersion} ${owner.kind} ${owner.name}`);
    // A cluster-scoped object cannot have a namespaced owner; it is left alone, as nothing can be verified.
    if (resource.namespaced && owner.namespace === '') return 'solid';
    const place = resource.namespaced ? owner.namespace : '';
    if (this.#absent.has(`${owner.uid} ${place}`)) return 'dangling';
    const live = await this.#live({ ...owner, resource });
    if (!live) {
      this.#noteAbsent(owner.uid, place);
      return 'dangling';
    }
    const waiting =
      live.metadata?.deletionTimestamp !== undefined &&
      live.metadata.finalizers?.includes(foregroundFinalizer);
    return waiting ? 'waiting' : 'solid';
  }

  /** The object's live metadata; undefined if it is gone or another has its name. */
  async #live(identity: Identity): Promise<KubeObject | undefined> {
    const resource = this.#resource(identity);
    try {
      const object = await this.#client.json<KubeObject>({
        method: 'GET',
        path: pathOf(resource, keyFor(resource, identity)),
        accept: partialObject,
      });
      return object.metadata?.uid === identity.uid ? object : undefined;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #resource(identity: Identity): DiscoveredResource {
    const resource = identity.resource ?? this.#monitors.resourceOf(identity.apiVersion, identity.kind);
    if (!resource) throw new Error(`no resource serves ${identity.apiVersion} ${identity.kind}`);
    return resource;
  }

  async #delete(identity: Identity, propagationPolicy: string): Promise<void> {
    const resource = this.#resource(identity);
    try {
      await this.#client.delete(resource, keyFor(resource, identity), {
        propagationPolicy,
        preconditions: { uid: identity.uid },
      });
    } catch (error) {
      // Gone, or replaced by a namesake, which is not ours to delete.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  #unblock(identity: Identity, object: KubeObject): Promise<void> {
    const references = object.metadata?.ownerReferences?.map((reference) =>
      reference.blockOwnerDeletion ? { ...reference, blockOwnerDeletion: false } : reference,
    );
    return this.#patchOwners(identity, object, references);
  }

  async #patchOwners(
    identity: Identity,
    object: KubeObject,
    owners: OwnerReference[] | undefined,
  ): Promise<void> {
    if (owners) await this.#patch(identity, object, { ownerReferences: owners.length > 0 ? owners : null });
  }

  async #removeFinalizer(identity: Identity, object: KubeObject, finalizer: string): Promise<void> {
    const finalizers = object.metadata?.finalizers?.filter((item) => item !== finalizer) ?? [];
    if (finalizers.length === object.metadata?.finalizers?.length) return;
    await this.#patch(identity, object, { finalizers: finalizers.length > 0 ? finalizers : null });
  }

  /** Guarded by the version that was read: a list must not be replaced by one made from an older state. */
  async #patch(identity: Identity, object: KubeObject, metadata: object): Promise<void> {
    const resource = this.#resource(identity);
    const { uid, resourceVersion } = object.metadata ?? {};
    const body = { metadata: { uid, resourceVersion, ...metadata } };
    try {
      await this.#client.patch(resource, keyFor(resource, identity), { type: 'merge', body });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** Takes the owner's references from all dependents, then lets the owner go. */
  async #orphan(uid: string): Promise<void> {
    const owner = this.#graph.get(uid);
    if (!owner || owner.virtual) return;
    for (const dependent of owner.dependents) {
      const object = await this.#live(dependent.identity);
      if (object) await this.#patchOwners(dependent.identity, object, withoutOwners(object, [uid]));
    }
    const object = await this.#live(owner.identity);
    if (object) await this.#removeFinalizer(owner.identity, object, orphanFinalizer);
  }
}

const keyFor = (resource: DiscoveredResource, { name, namespace }: Identity) => ({
  name,
  ...(resource.namespaced && { namespace }),
});

export const garbageCollector: ControllerDeclaration = {
  name: 'garbage-collector-controller',
  aliases: ['garbagecollector'],
  setUp: (context) => new GarbageCollector(context),
};
