import type { KubeObject } from '../../api/object.ts';
import type { OwnerReference } from '../../api/types/meta-v1.ts';
import type { DiscoveredResource } from '../common/discovery.ts';

export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

/** Where an object is. An owner that was only heard of has no resource, but a kind. */
export interface Identity {
  apiVersion: string;
  kind: string;
  /** Undefined until discovery knows the kind. */
  resource: DiscoveredResource | undefined;
  /** Empty for cluster-scoped objects. */
  namespace: string;
  name: string;
  uid: string;
}

/** One object, as far as ownership goes: nothing else of it is kept. */
export interface GraphNode {
  identity: Identity;
  owners: readonly OwnerReference[];
  readonly dependents: Set<GraphNode>;
  /** Known only from the references of its dependents. */
  virtual: boolean;
  beingDeleted: boolean;
  /** Being deleted in the foreground: stays until its dependents are gone. */
  deletingDependents: boolean;
}

/** What a change calls for. */
export interface GraphEffects {
  /** Uids of objects to examine: their owners may be gone, or their dependents. */
  examine: string[];
  /** Uids of owners whose dependents are to be orphaned. */
  orphan: string[];
  /** Namespaced dependents whose owner reference names an object of another namespace or place. */
  misplaced: { dependent: Identity; reference: OwnerReference }[];
}

const hasFinalizer = (object: KubeObject, name: string): boolean =>
  object.metadata?.finalizers?.includes(name) ?? false;

/** Whether a reference means this object: the same kind and name, and a place where the dependent may look. */
function refersTo(reference: OwnerReference, dependent: Identity, owner: Identity): boolean {
  return (
    reference.kind === owner.kind &&
    reference.apiVersion.split('/')[0] === owner.apiVersion.split('/')[0] &&
    reference.name === owner.name &&
    (owner.namespace === '' || owner.namespace === dependent.namespace)
  );
}

/**
 * Who owns whom in the whole cluster, fed by the monitors of all resources.
 *
 * Invariant: for every present node and each of its owner references there is a node of that uid (virtual if the
 * owner was not seen yet) that has it among its dependents; virtual nodes without dependents do not stay.
 */
export class OwnershipGraph {
  readonly #nodes = new Map<string, GraphNode>();

  get size(): number {
    return this.#nodes.size;
  }

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  /** Takes in an object that was seen, for the first time or changed. */
  observe(object: KubeObject, resource: DiscoveredResource): GraphEffects {
    const effects: GraphEffects = { examine: [], orphan: [], misplaced: [] };
    const identity = identityOf(object, resource);
    const owners = object.metadata?.ownerReferences ?? [];
    const existing = this.#nodes.get(identity.uid);
    const node = existing ?? this.#insert(identity);
    if (existing?.virtual) this.#settle(existing, identity, effects);
    this.#setOwners(node, owners, effects);

    const wasBeingDeleted = node.beingDeleted;
    const wasDeletingDependents = node.deletingDependents;
    node.beingDeleted = object.metadata?.deletionTimestamp !== undefined;
    node.deletingDependents = node.beingDeleted && hasFinalizer(object, foregroundFinalizer);
    if (node.deletingDependents && !wasDeletingDependents) {
      for (const dependent of node.dependents) effects.examine.push(dependent.identity.uid);
      effects.examine.push(identity.uid);
    }
    if (node.beingDeleted && !wasBeingDeleted && hasFinalizer(object, orphanFinalizer))
      effects.orphan.push(identity.uid);
    return effects;
  }

  /** Takes out an object that is gone; its dependents and a foreground-deleted owner have to be examined. */
  remove(uid: string): GraphEffects {
    const effects: GraphEffects = { examine: [], orphan: [], misplaced: [] };
    const node = this.#nodes.get(uid);
    if (!node) return effects;
    for (const { uid: ownerUid } of node.owners) {
      const owner = this.#nodes.get(ownerUid);
      if (!owner) continue;
      owner.dependents.delete(node);
      if (owner.deletingDependents) effects.examine.push(ownerUid);
      if (owner.virtual && owner.dependents.size === 0) this.#nodes.delete(ownerUid);
    }
    for (const dependent of node.dependents) effects.examine.push(dependent.identity.uid);
    if (node.dependents.size === 0) this.#nodes.delete(uid);
    else {
      // Its dependents still name it; it stays as one that was only heard of until they are gone.
      node.virtual = true;
      node.owners = [];
      node.beingDeleted = false;
      node.deletingDependents = false;
    }
    return effects;
  }

  #insert(identity: Identity): GraphNode {
    const node: GraphNode = {
      identity,
      owners: [],
      dependents: new Set(),
      virtual: false,
      beingDeleted: false,
      deletingDependents: false,
    };
    this.#nodes.set(identity.uid, node);
    return node;
  }

  /** An owner that was only heard of is seen: dependents that described it wrongly must be looked at. */
  #settle(node: GraphNode, identity: Identity, effects: GraphEffects): void {
    node.identity = identity;
    node.virtual = false;
    for (const dependent of node.dependents) {
      const reference = dependent.owners.find((item) => item.uid === identity.uid);
      if (!reference || refersTo(reference, dependent.identity, identity)) continue;
      effects.examine.push(dependent.identity.uid);
      effects.misplaced.push({ dependent: dependent.identity, reference });
    }
  }

  #setOwners(node: GraphNode, owners: readonly OwnerReference[], effects: GraphEffects): void {
    const before = node.owners;
    node.owners = owners;
    const uids = new Set(owners.map(({ uid }) => uid));
    for (const old of before) {
      const next = owners.find(({ uid }) => uid === old.uid);
      const owner = this.#nodes.get(old.uid);
      if (!owner) continue;
      // An owner that waits in the foreground may be free now.
      if (old.blockOwnerDeletion && !next?.blockOwnerDeletion && owner.deletingDependents)
        effects.examine.push(old.uid);
      if (uids.has(old.uid)) continue;
      owner.dependents.delete(node);
      if (owner.virtual && owner.dependents.size === 0) this.#nodes.delete(old.uid);
    }
    for (const reference of owners) {
      const known = this.#nodes.get(reference.uid);
      const owner = known ?? this.#insert(heardOf(reference, node.identity));
      if (!known) owner.virtual = true;
      if (owner.dependents.has(node)) continue;
      owner.dependents.add(node);
      if (owner.virtual) effects.examine.push(reference.uid);
      else if (!refersTo(reference, node.identity, owner.identity)) {
        effects.examine.push(node.identity.uid);
        effects.misplaced.push({ dependent: node.identity, reference });
      } else if (owner.deletingDependents) effects.examine.push(node.identity.uid);
    }
  }
}

function identityOf(object: KubeObject, resource: DiscoveredResource): Identity {
  return {
    apiVersion: resource.group ? `${resource.group}/${resource.version}` : resource.version,
    kind: resource.kind,
    resource,
    namespace: object.metadata?.namespace ?? '',
    name: object.metadata?.name ?? '',
    uid: object.metadata?.uid ?? '',
  };
}

const heardOf = (reference: OwnerReference, dependent: Identity): Identity => ({
  apiVersion: reference.apiVersion,
  kind: reference.kind,
  resource: undefined,
  namespace: dependent.namespace,
  name: reference.name,
  uid: reference.uid,
});
