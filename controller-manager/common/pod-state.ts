import { findCondition } from '../../api/conditions.ts';
import type { Pod, PodCondition } from '../../api/types/core-v1.ts';
import { millisecondsOf } from './time.ts';

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/ */

export const podReadyCondition = (pod: Pod): PodCondition | undefined =>
  findCondition(pod.status?.conditions, 'Ready');

export const isPodReady = (pod: Pod): boolean => podReadyCondition(pod)?.status === 'True';

/** Whether the pod has come to its end: `Succeeded` or `Failed`. */
export const isPodTerminal = (pod: Pod): boolean =>
  pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** Whether the pod still counts for its controller: neither ended nor being deleted. */
export const isPodActive = (pod: Pod): boolean => !isPodTerminal(pod) && !pod.metadata?.deletionTimestamp;

/** Milliseconds at which the pod last became ready; undefined if it is not. */
export function readySince(pod: Pod): number | undefined {
  const condition = podReadyCondition(pod);
  return condition?.status === 'True' ? millisecondsOf(condition.lastTransitionTime) : undefined;
}

/**
 * Milliseconds until a ready pod counts as available: 0 if it does, undefined if it is not ready.
 * A pod is available when it has been ready for `minReadySeconds`.
 */
export function availableIn(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  if (!isPodReady(pod)) return undefined;
  if (minReadySeconds <= 0) return 0;
  const since = readySince(pod);
  if (since === undefined) return undefined;
  return Math.max(0, since + minReadySeconds * 1000 - now);
}

/** The highest restart count among the containers and the restartable init containers. */
export function maxContainerRestarts(pod: Pod): { regular: number; sidecar: number } {
  const sidecars = new Set(
    pod.spec?.initContainers
      ?.filter((container) => 'restartPolicy' in container && container.restartPolicy === 'Always')
      .map((container) => container.name),
  );
  const highest = (counts: number[]) => counts.reduce((most, count) => Math.max(most, count), 0);
  return {
    regular: highest((pod.status?.containerStatuses ?? []).map((status) => status.restartCount)),
    sidecar: highest(
      (pod.status?.initContainerStatuses ?? [])
        .filter((status) => sidecars.has(status.name))
        .map((status) => status.restartCount),
    ),
  };
}
