import { findCondition, removeCondition } from '../../api/conditions.ts';
import { selectorFromLabels } from '../../api/selectors.ts';
import type { ReplicaSet, ReplicaSetStatus } from '../../api/types/apps-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { jsonEqual } from '../common/equal.ts';
import { availableIn, isPodReady } from '../common/pod-state.ts';
import { timestamp } from '../common/time.ts';
import { victims } from './rank.ts';

/** The most pods that one sync creates or deletes. */
export const burstReplicas = 500;

export interface ObservedReplicaSet {
  replicaSet: ReplicaSet;
  /** The active pods that it controls. */
  pods: readonly Pod[];
  /** The active pods of all ReplicaSets of the same Deployment, its own included. */
  related: Iterable<Pod>;
}

export type ReplicaSetAction = { type: 'create'; count: number } | { type: 'delete'; pods: Pod[] };

/** What brings the number of pods to `spec.replicas`; undefined if it is right, or nothing may be done. */
export function planReplicas(observed: ObservedReplicaSet, now: number): ReplicaSetAction | undefined {
  const { replicaSet, pods } = observed;
  if (replicaSet.metadata?.deletionTimestamp) return undefined;
  const missing = (replicaSet.spec?.replicas ?? 1) - pods.length;
  if (missing > 0) return { type: 'create', count: Math.min(missing, burstReplicas) };
  if (missing === 0) return undefined;
  const count = Math.min(-missing, burstReplicas);
  return { type: 'delete', pods: victims({ pods, related: observed.related, count, now }) };
}

/** How the last creation or deletion ended. */
export interface ReplicasFailure {
  missing: boolean;
  message: string;
}

/** The status that the pods amount to. */
export function planStatus(
  replicaSet: ReplicaSet,
  pods: readonly Pod[],
  options: { now: number; failure?: ReplicasFailure | undefined },
): ReplicaSetStatus {
  const { now, failure } = options;
  const labelled = selectorFromLabels(replicaSet.spec?.template?.metadata?.labels);
  const minReadySeconds = replicaSet.spec?.minReadySeconds ?? 0;
  const previous = replicaSet.status?.conditions;
  let conditions = previous ?? [];
  const failed = findCondition(previous, 'ReplicaFailure');
  if (failure && !failed)
    conditions = [
      ...conditions,
      {
        type: 'ReplicaFailure',
        status: 'True',
        lastTransitionTime: timestamp(now),
        reason: failure.missing ? 'FailedCreate' : 'FailedDelete',
        message: failure.message,
      },
    ];
  else if (!failure && failed) conditions = removeCondition(conditions, 'ReplicaFailure');
  return {
    replicas: pods.length,
    fullyLabeledReplicas: pods.filter((pod) => labelled.matches(pod.metadata?.labels)).length,
    readyReplicas: pods.filter(isPodReady).length,
    availableReplicas: pods.filter((pod) => availableIn(pod, minReadySeconds, now) === 0).length,
    observedGeneration: replicaSet.metadata?.generation,
    ...(conditions.length > 0 && { conditions }),
  };
}

/** Whether a stored status says the same as a planned one; absent numbers count as 0. */
export function sameStatus(stored: ReplicaSetStatus | undefined, planned: ReplicaSetStatus): boolean {
  const normal = (status: ReplicaSetStatus | undefined) => [
    status?.replicas ?? 0,
    status?.fullyLabeledReplicas ?? 0,
    status?.readyReplicas ?? 0,
    status?.availableReplicas ?? 0,
    status?.observedGeneration ?? 0,
    status?.conditions ?? [],
  ];
  return jsonEqual(normal(stored), normal(planned));
}

/** Milliseconds until the next ready pod becomes available; undefined if none waits for that. */
export function nextAvailable(
  pods: readonly Pod[],
  minReadySeconds: number,
  now: number,
): number | undefined {
  const waits = pods
    .map((pod) => availableIn(pod, minReadySeconds, now))
    .filter((wait): wait is number => wait !== undefined && wait > 0);
  return waits.length > 0 ? Math.min(...waits) : undefined;
}
