import { findCondition } from '../../api/conditions.ts';
import { tolerates } from '../../api/taints.ts';
import type { Pod, Taint, Toleration } from '../../api/types/core-v1.ts';
import { millisecondsOf } from '../common/time.ts';

/** https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions */

/** When a pod came to its node: its tolerated seconds count from then if the taint is older. */
const boundAt = (pod: Pod): number =>
  millisecondsOf(findCondition(pod.status?.conditions, 'PodScheduled')?.lastTransitionTime) ??
  millisecondsOf(pod.metadata?.creationTimestamp) ??
  0;

/**
 * Milliseconds since the epoch at which a pod must leave a node with these NoExecute taints; undefined if it may
 * stay for ever. Of several bounded tolerations the shortest counts, from the time at which the first of the
 * taints was added.
 */
export function evictionTime(pod: Pod, taints: readonly Taint[], now: number): number | undefined {
  const used: Toleration[] = [];
  for (const taint of taints) {
    const matching = pod.spec?.tolerations?.filter((toleration) => tolerates(toleration, taint)) ?? [];
    if (matching.length === 0) return now;
    used.push(...matching);
  }
  const seconds = used.flatMap((toleration) => toleration.tolerationSeconds ?? []);
  if (seconds.length === 0) return undefined;
  const since = Math.min(...taints.map((taint) => millisecondsOf(taint.timeAdded) ?? now));
  return Math.max(since, boundAt(pod)) + Math.max(0, Math.min(...seconds)) * 1000;
}
