import type { Deployment, ReplicaSet } from '../../api/types/apps-v1.ts';
import { scaledValue } from '../common/integer-or-percent.ts';
import { millisecondsOf } from '../common/time.ts';
import { maxReplicasOf } from './annotations.ts';

/** https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment */

export const replicasOf = (object: Deployment | ReplicaSet): number => object.spec?.replicas ?? 1;

export const isRollingUpdate = (deployment: Deployment): boolean =>
  (deployment.spec?.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate';

/** Percentages round surge up and unavailability down; if both come to 0, one pod may be missing. */
function fenceposts(deployment: Deployment): { surge: number; unavailable: number } {
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const replicas = replicasOf(deployment);
  const surge = scaledValue(maxSurge, replicas, 'up');
  const unavailable = scaledValue(maxUnavailable, replicas, 'down');
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

/** Pods that may exist beyond `spec.replicas` during a rollout. */
export const maxSurge = (deployment: Deployment): number =>
  isRollingUpdate(deployment) ? fenceposts(deployment).surge : 0;

/** Pods that may be missing from `spec.replicas` during a rollout. */
export function maxUnavailable(deployment: Deployment): number {
  const replicas = replicasOf(deployment);
  if (!isRollingUpdate(deployment) || replicas === 0) return 0;
  return Math.min(fenceposts(deployment).unavailable, replicas);
}

const sum = (replicaSets: readonly ReplicaSet[], of: (replicaSet: ReplicaSet) => number): number =>
  replicaSets.reduce((total, item) => total + of(item), 0);

export const specReplicas = (replicaSets: readonly ReplicaSet[]): number => sum(replicaSets, replicasOf);
export const statusReplicas = (replicaSets: readonly ReplicaSet[]): number =>
  sum(replicaSets, (item) => item.status?.replicas ?? 0);
export const readyReplicas = (replicaSets: readonly ReplicaSet[]): number =>
  sum(replicaSets, (item) => item.status?.readyReplicas ?? 0);
export const availableReplicas = (replicaSets: readonly ReplicaSet[]): number =>
  sum(replicaSets, (item) => item.status?.availableReplicas ?? 0);

/**
 * Available pods that will stay: a ReplicaSet that was just made smaller still reports those it is about to
 * delete, and who counted on them would take too many away.
 */
export const lastingReplicas = (replicaSets: readonly ReplicaSet[]): number =>
  sum(replicaSets, (item) => Math.min(item.status?.availableReplicas ?? 0, replicasOf(item)));

/** Oldest first; the name decides among those of one second. */
export function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const difference =
    (millisecondsOf(a.metadata?.creationTimestamp) ?? 0) -
    (millisecondsOf(b.metadata?.creationTimestamp) ?? 0);
  return difference || ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1);
}

/** How large the current ReplicaSet may be now, given the size of all. */
export function newReplicaSetSize(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  current: ReplicaSet,
): number {
  const desired = replicasOf(deployment);
  if (!isRollingUpdate(deployment)) return desired;
  const room = desired + maxSurge(deployment) - specReplicas(all);
  if (room <= 0) return replicasOf(current);
  return replicasOf(current) + Math.min(room, desired - replicasOf(current));
}

/** A ReplicaSet's part of `toAdd` pods (negative: to remove), in proportion to its size. */
export function proportion(
  deployment: Deployment,
  replicaSet: ReplicaSet,
  toAdd: number,
  added: number,
): number {
  const size = replicasOf(replicaSet);
  if (size === 0 || toAdd === 0 || toAdd === added) return 0;
  const share = fraction(deployment, replicaSet);
  const allowed = toAdd - added;
  return toAdd > 0 ? Math.min(share, allowed) : Math.max(share, allowed);
}

function fraction(deployment: Deployment, replicaSet: ReplicaSet): number {
  const size = replicasOf(replicaSet);
  if (replicasOf(deployment) === 0) return -size;
  const most = replicasOf(deployment) + maxSurge(deployment);
  // Somebody removed the annotation: the status is the best that is known.
  const mostBefore = maxReplicasOf(replicaSet) ?? deployment.status?.replicas ?? 0;
  if (mostBefore === 0) return 0;
  return Math.round((size * most) / mostBefore) - size;
}
