import { findCondition, removeCondition } from '../../api/conditions.ts';
import type {
  Deployment,
  DeploymentCondition,
  DeploymentStatus,
  ReplicaSet,
} from '../../api/types/apps-v1.ts';
import { millisecondsOf, timestamp } from '../common/time.ts';
import {
  availableReplicas,
  maxUnavailable,
  readyReplicas,
  replicasOf,
  specReplicas,
  statusReplicas,
} from './sizes.ts';

/** https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status */

export const reasons = {
  complete: 'NewReplicaSetAvailable',
  progressing: 'ReplicaSetUpdated',
  timedOut: 'ProgressDeadlineExceeded',
  created: 'NewReplicaSetCreated',
  found: 'FoundNewReplicaSet',
  createFailed: 'ReplicaSetCreateError',
  paused: 'DeploymentPaused',
  resumed: 'DeploymentResumed',
} as const;

/** A deadline of the largest int32 counts as none. */
const never = 2 ** 31 - 1;

export function progressDeadline(deployment: Deployment): number | undefined {
  const seconds = deployment.spec?.progressDeadlineSeconds;
  return seconds === undefined || seconds === never ? undefined : seconds * 1000;
}

/**
 * Sets a condition as the Deployment controller does: one with the same status and reason stays as it is,
 * times and message included, so that `lastUpdateTime` tells of the last progress.
 */
export function setProgress(
  conditions: readonly DeploymentCondition[],
  next: Pick<DeploymentCondition, 'type' | 'status' | 'reason' | 'message'>,
  now: number,
): DeploymentCondition[] {
  const before = findCondition(conditions, next.type);
  if (before && before.status === next.status && before.reason === next.reason) return [...conditions];
  const time = timestamp(now);
  return [
    ...conditions.filter((condition) => condition.type !== next.type),
    {
      ...next,
      lastUpdateTime: time,
      lastTransitionTime: before?.status === next.status ? before.lastTransitionTime : time,
    },
  ];
}

/** Counts and the `Available` condition, from what the ReplicaSets report. */
export function calculateStatus(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  options: { conditions: readonly DeploymentCondition[]; now: number },
): DeploymentStatus {
  const all = current ? [...old, current] : [...old];
  const available = availableReplicas(all);
  const enough = available >= replicasOf(deployment) - maxUnavailable(deployment);
  const collisionCount = deployment.status?.collisionCount;
  return {
    observedGeneration: deployment.metadata?.generation,
    replicas: statusReplicas(all),
    updatedReplicas: current ? statusReplicas([current]) : 0,
    readyReplicas: readyReplicas(all),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, specReplicas(all) - available),
    ...(collisionCount !== undefined && { collisionCount }),
    conditions: setProgress(
      options.conditions,
      enough
        ? {
            type: 'Available',
            status: 'True',
            reason: 'MinimumReplicasAvailable',
            message: 'Deployment has minimum availability.',
          }
        : {
            type: 'Available',
            status: 'False',
            reason: 'MinimumReplicasUnavailable',
            message: 'Deployment does not have minimum availability.',
          },
      options.now,
    ),
  };
}

/** Whether the rollout is done: all pods are of the current template and available, none of an older one is left. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const desired = replicasOf(deployment);
  return (
    (status.updatedReplicas ?? 0) === desired &&
    (status.replicas ?? 0) === desired &&
    (status.availableReplicas ?? 0) === desired &&
    (status.observedGeneration ?? 0) >= (deployment.metadata?.generation ?? 0)
  );
}

function hasProgressed(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  const count = (status: DeploymentStatus | undefined) => ({
    updated: status?.updatedReplicas ?? 0,
    old: (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0),
    ready: status?.readyReplicas ?? 0,
    available: status?.availableReplicas ?? 0,
  });
  const [a, b] = [count(before), count(after)];
  return b.updated > a.updated || b.old < a.old || b.ready > a.ready || b.available > a.available;
}

/** Milliseconds left until the rollout counts as stuck; undefined if no deadline runs. */
export function timeToDeadline(
  deployment: Deployment,
  status: DeploymentStatus,
  now: number,
): number | undefined {
  const deadline = progressDeadline(deployment);
  const condition = findCondition(status.conditions, 'Progressing');
  if (deadline === undefined || !condition || condition.reason === reasons.complete) return undefined;
  const since = millisecondsOf(condition.lastUpdateTime) ?? now;
  return Math.max(0, since + deadline - now);
}

/** A rollout's status: counts, then what they say about progress, then the ReplicaSets' own failures. */
export function rolloutStatus(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  options: { conditions: readonly DeploymentCondition[]; now: number },
): DeploymentStatus {
  const { now } = options;
  const status = calculateStatus(deployment, current, old, options);
  let conditions = status.conditions ?? [];
  const before = findCondition(options.conditions, 'Progressing');
  const subject = current
    ? `ReplicaSet ${JSON.stringify(current.metadata?.name)}`
    : `Deployment ${JSON.stringify(deployment.metadata?.name)}`;
  const progress = (outcome: string, reason: string, text: string) => ({
    type: 'Progressing',
    status: outcome,
    reason,
    message: `${subject} ${text}`,
  });
  const stayedComplete = status.replicas === status.updatedReplicas && before?.reason === reasons.complete;
  if (progressDeadline(deployment) === undefined) conditions = removeCondition(conditions, 'Progressing');
  else if (!stayedComplete) {
    if (isComplete(deployment, status))
      conditions = setProgress(
        conditions,
        progress('True', reasons.complete, 'has successfully progressed.'),
        now,
      );
    else if (hasProgressed(deployment.status, status)) {
      // Written anew even with the same reason: its update time is what the deadline counts from.
      conditions = setProgress(
        removeCondition(conditions, 'Progressing'),
        progress('True', reasons.progressing, 'is progressing.'),
        now,
      );
      if (before?.status === 'True')
        conditions = conditions.map((condition) =>
          condition.type === 'Progressing'
            ? { ...condition, lastTransitionTime: before.lastTransitionTime }
            : condition,
        );
    } else if (timeToDeadline(deployment, status, now) === 0)
      conditions = setProgress(
        conditions,
        progress('False', reasons.timedOut, 'has timed out progressing.'),
        now,
      );
  }
  const failure = replicaFailure(current, old);
  conditions = failure
    ? setProgress(conditions, failure, now)
    : removeCondition(conditions, 'ReplicaFailure');
  return { ...status, conditions };
}

/** The current ReplicaSet's failure counts first, then that of any other. */
function replicaFailure(current: ReplicaSet | undefined, old: readonly ReplicaSet[]) {
  for (const replicaSet of current ? [current, ...old] : old) {
    const failure = findCondition(replicaSet.status?.conditions, 'ReplicaFailure');
    if (failure)
      return {
        type: 'ReplicaFailure',
        status: failure.status,
        reason: failure.reason,
        message: failure.message,
      };
  }
  return undefined;
}
