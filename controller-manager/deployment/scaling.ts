import type { Deployment, ReplicaSet } from '../../api/types/apps-v1.ts';
import { desiredReplicasOf } from './annotations.ts';
import {
  byAge,
  isRollingUpdate,
  lastingReplicas,
  maxSurge,
  maxUnavailable,
  newReplicaSetSize,
  proportion,
  replicasOf,
  specReplicas,
} from './sizes.ts';

/** A ReplicaSet and the size that it is to have; equal to its present one if only annotations must follow. */
export interface Scaling {
  replicaSet: ReplicaSet;
  replicas: number;
}

const isActive = (replicaSet: ReplicaSet) => replicasOf(replicaSet) > 0;

/** Whether the Deployment itself was scaled since its ReplicaSets were last sized. */
export function wasScaled(deployment: Deployment, all: readonly ReplicaSet[]): boolean {
  return all.filter(isActive).some((item) => {
    const desired = desiredReplicasOf(item);
    return desired !== undefined && desired !== replicasOf(deployment);
  });
}

function isSaturated(deployment: Deployment, current: ReplicaSet | undefined): boolean {
  const desired = replicasOf(deployment);
  return (
    current !== undefined &&
    desiredReplicasOf(current) === desired &&
    replicasOf(current) === desired &&
    (current.status?.availableReplicas ?? 0) === desired
  );
}

/**
 * Sizes after a scaling of the Deployment, outside or in the middle of a rollout. In a rollout the difference
 * is spread over the ReplicaSets in proportion to their size, to lower the risk of a bad new one.
 * https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling
 */
export function planScale(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Scaling[] {
  const all = current ? [...old, current] : [...old];
  const active = all.filter(isActive);
  const only = active.length > 1 ? undefined : (active[0] ?? current ?? [...old].sort(byAge).at(-1));
  const desired = replicasOf(deployment);
  if (only) return replicasOf(only) === desired ? [] : [{ replicaSet: only, replicas: desired }];
  if (active.length === 0) return [];
  if (isSaturated(deployment, current))
    return old.filter(isActive).map((replicaSet) => ({ replicaSet, replicas: 0 }));
  return isRollingUpdate(deployment) ? proportionally(deployment, active) : [];
}

function proportionally(deployment: Deployment, active: readonly ReplicaSet[]): Scaling[] {
  const desired = replicasOf(deployment);
  const allowed = desired > 0 ? desired + maxSurge(deployment) : 0;
  const toAdd = allowed - specReplicas(active);
  // Largest first; among equals grow the newest and shrink the oldest first.
  const order = toAdd > 0 ? -1 : 1;
  const sorted = [...active].sort((a, b) => replicasOf(b) - replicasOf(a) || order * byAge(a, b));
  let added = 0;
  const result = sorted.map((replicaSet): Scaling => {
    const part = proportion(deployment, replicaSet, toAdd, added);
    added += part;
    return { replicaSet, replicas: replicasOf(replicaSet) + part };
  });
  const first = result[0];
  if (first && toAdd !== 0) first.replicas = Math.max(0, first.replicas + toAdd - added);
  return result;
}

/** The next step of the current ReplicaSet in a rollout; undefined if it has its size. */
export function planCurrent(
  deployment: Deployment,
  current: ReplicaSet,
  old: readonly ReplicaSet[],
): Scaling | undefined {
  const desired = replicasOf(deployment);
  const size = replicasOf(current);
  if (size === desired) return undefined;
  const replicas = size > desired ? desired : newReplicaSetSize(deployment, [...old, current], current);
  return replicas === size ? undefined : { replicaSet: current, replicas };
}

/**
 * The next step of the old ReplicaSets in a rolling update: first those pods go that are not available
 * anyway, then as many others as leave `replicas - maxUnavailable` available.
 */
export function planOld(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Scaling[] {
  if (specReplicas(old) === 0) return [];
  const all = current ? [...old, current] : [...old];
  const minAvailable = replicasOf(deployment) - maxUnavailable(deployment);
  const startingUp = current ? replicasOf(current) - lastingReplicas([current]) : 0;
  const removable = specReplicas(all) - minAvailable - startingUp;
  if (removable <= 0) return [];
  const sizes = new Map<ReplicaSet, number>([...old].sort(byAge).map((item) => [item, replicasOf(item)]));

  let removed = 0;
  for (const [replicaSet, size] of sizes) {
    if (removed >= removable) break;
    const unavailable = size - (replicaSet.status?.availableReplicas ?? 0);
    if (size === 0 || unavailable <= 0) continue;
    const count = Math.min(removable - removed, unavailable);
    sizes.set(replicaSet, size - count);
    removed += count;
  }

  let spare = lastingReplicas(all) - minAvailable;
  for (const [replicaSet, size] of sizes) {
    if (spare <= 0) break;
    const count = Math.min(size, spare);
    sizes.set(replicaSet, size - count);
    spare -= count;
  }
  return [...sizes]
    .filter(([replicaSet, replicas]) => replicas !== replicasOf(replicaSet))
    .map(([replicaSet, replicas]) => ({ replicaSet, replicas }));
}
