import type { KubeObject } from '../../api/object.ts';
import type { OwnerReference } from '../../api/types/meta-v1.ts';
import { foregroundFinalizer, orphanFinalizer } from './graph.ts';

/** What was found out about one owner of an object, live. */
export type OwnerState =
  /** Exists. */
  | 'solid'
  /** Does not exist, or its name belongs to another object by now. */
  | 'dangling'
  /** Exists, and waits in the foreground for its dependents to go. */
  | 'waiting';

export interface ExaminedObject {
  /** Its live metadata. */
  object: KubeObject;
  owners: readonly { reference: OwnerReference; state: OwnerState }[];
  /** Whether it has dependents of its own, and whether one of them waits for its own dependents. */
  dependents: { any: boolean; waiting: boolean };
}

export type CollectorAction =
  | { type: 'nothing' }
  /** Takes references to owners that are gone from an object that has others. */
  | { type: 'dropOwners'; uids: string[] }
  | { type: 'delete'; propagation: 'Background' | 'Foreground' | 'Orphan'; unblock: boolean };

/**
 * What becomes of an object whose owners have been looked at.
 * https://kubernetes.io/docs/concepts/architecture/garbage-collection/
 */
export function planObject(examined: ExaminedObject): CollectorAction {
  const { object, owners, dependents } = examined;
  if (owners.length === 0) return { type: 'nothing' };
  const gone = owners.filter(({ state }) => state !== 'solid').map(({ reference }) => reference.uid);
  if (gone.length === 0) return { type: 'nothing' };
  if (gone.length < owners.length) return { type: 'dropOwners', uids: gone };
  if (owners.some(({ state }) => state === 'waiting') && dependents.any)
    // Two that wait for each other would wait for ever: this one no longer blocks its owner.
    return { type: 'delete', propagation: 'Foreground', unblock: dependents.waiting };
  const finalizers = object.metadata?.finalizers ?? [];
  const propagation = finalizers.includes(orphanFinalizer)
    ? 'Orphan'
    : finalizers.includes(foregroundFinalizer)
      ? 'Foreground'
      : 'Background';
  return { type: 'delete', propagation, unblock: false };
}

/** Owner references without those to the given uids, or undefined if it has none of them. */
export function withoutOwners(object: KubeObject, uids: readonly string[]): OwnerReference[] | undefined {
  const before = object.metadata?.ownerReferences ?? [];
  const after = before.filter(({ uid }) => !uids.includes(uid));
  return after.length === before.length ? undefined : after;
}
