import { findCondition } from '../../api/conditions.ts';
import type { Job } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { isPodActive, isPodReady, isPodTerminal } from '../common/pod-state.ts';
import { millisecondsOf } from '../common/time.ts';
import { indexOf, parseIndexes } from './indexes.ts';
import { matchFailurePolicy } from './policies.ts';

/** Keeps a pod from vanishing before it is counted. */
export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';
export const failureCountAnnotation = 'batch.kubernetes.io/job-index-failure-count';

export const isTracked = (pod: Pod): boolean =>
  pod.metadata?.finalizers?.includes(trackingFinalizer) ?? false;

export const isIndexed = (job: Job): boolean => job.spec?.completionMode === 'Indexed';
export const isSuspended = (job: Job): boolean => job.spec?.suspend ?? false;

export const isFinished = (job: Job): boolean =>
  job.status?.conditions?.some(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  ) ?? false;

/** Whether pods on their way out still hold the place of their replacement. */
export const replacesOnlyFailed = (job: Job): boolean => job.spec?.podReplacementPolicy === 'Failed';

/** A deleted pod counts as failed even if it never gets to say so, unless its end is waited for. */
export const isPodFailed = (pod: Pod, job: Job): boolean =>
  pod.status?.phase === 'Failed' ||
  (!replacesOnlyFailed(job) &&
    pod.metadata?.deletionTimestamp !== undefined &&
    pod.status?.phase !== 'Succeeded');

/** A job and its pods, counted. */
export interface JobView {
  job: Job;
  pods: readonly Pod[];
  active: Pod[];
  ready: number;
  terminating: number;
  /** Successes and failures: counted ones, those on their way to be counted, and new ones. */
  succeeded: number;
  failed: number;
  /** Uids in the stored `status.uncountedTerminatedPods`. */
  uncounted: { succeeded: ReadonlySet<string>; failed: ReadonlySet<string> };
  /** For indexed jobs. */
  completedIndexes: ReadonlySet<number>;
  /** Completed according to the stored status. */
  storedIndexes: ReadonlySet<number>;
  failedIndexes: ReadonlySet<number>;
}

export function viewOf(job: Job, pods: readonly Pod[]): JobView {
  const { status, spec } = job;
  const completions = spec?.completions ?? 0;
  const indexed = isIndexed(job);
  const uncounted = {
    succeeded: new Set(status?.uncountedTerminatedPods?.succeeded),
    failed: new Set(status?.uncountedTerminatedPods?.failed),
  };
  const counts = (pod: Pod) => isTracked(pod) && (!indexed || indexOf(pod, completions) !== undefined);
  const newSuccesses = pods.filter(
    (pod) => counts(pod) && pod.status?.phase === 'Succeeded' && !uncounted.succeeded.has(uidOf(pod)),
  );
  const newFailures = pods.filter(
    (pod) =>
      counts(pod) &&
      isPodFailed(pod, job) &&
      !uncounted.failed.has(uidOf(pod)) &&
      matchFailurePolicy(spec?.podFailurePolicy, pod)?.action !== 'Ignore',
  );
  const storedIndexes = indexed ? parseIndexes(status?.completedIndexes, completions) : new Set<number>();
  const completedIndexes = new Set(storedIndexes);
  if (indexed) for (const pod of newSuccesses) completedIndexes.add(indexOf(pod, completions)!);
  const active = pods.filter(isPodActive);
  return {
    job,
    pods,
    active,
    ready: active.filter(isPodReady).length,
    terminating: pods.filter((pod) => pod.metadata?.deletionTimestamp && !isPodTerminal(pod)).length,
    succeeded: indexed
      ? completedIndexes.size
      : (status?.succeeded ?? 0) + newSuccesses.length + uncounted.succeeded.size,
    failed: (status?.failed ?? 0) + newFailures.length + uncounted.failed.size,
    uncounted,
    completedIndexes,
    storedIndexes,
    failedIndexes: failedIndexesOf(job, pods, completedIndexes),
  };
}

export const uidOf = (pod: Pod): string => pod.metadata?.uid ?? '';

/** How often an index has failed so far, as its pods tell: each new pod carries the count of those before it. */
export function indexFailures(job: Job, pods: readonly Pod[], index: number): number {
  const completions = job.spec?.completions ?? 0;
  let most = 0;
  for (const pod of pods) {
    if (indexOf(pod, completions) !== index) continue;
    const before = Number(pod.metadata?.annotations?.[failureCountAnnotation] ?? 0) || 0;
    const ignored = matchFailurePolicy(job.spec?.podFailurePolicy, pod)?.action === 'Ignore';
    most = Math.max(most, before + (isPodFailed(pod, job) && !ignored ? 1 : 0));
  }
  return most;
}

function failedIndexesOf(job: Job, pods: readonly Pod[], completed: ReadonlySet<number>): Set<number> {
  const limit = job.spec?.backoffLimitPerIndex;
  if (limit === undefined || !isIndexed(job)) return new Set();
  const completions = job.spec?.completions ?? 0;
  const failed = parseIndexes(job.status?.failedIndexes, completions);
  const candidates = new Map<number, Pod[]>();
  for (const pod of pods) {
    const index = indexOf(pod, completions);
    if (index === undefined || completed.has(index)) continue;
    candidates.set(index, [...(candidates.get(index) ?? []), pod]);
  }
  for (const [index, own] of candidates) {
    const refused = own.some(
      (pod) =>
        isPodFailed(pod, job) && matchFailurePolicy(job.spec?.podFailurePolicy, pod)?.action === 'FailIndex',
    );
    if (refused || indexFailures(job, own, index) > limit) failed.add(index);
  }
  return failed;
}

/** When a pod ended, from the most exact thing that it says about it. Milliseconds since the epoch. */
export function finishedAt(pod: Pod): number {
  const ends = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])]
    .map((status) => millisecondsOf(status.state?.terminated?.finishedAt))
    .filter((time) => time !== undefined);
  if (ends.length > 0) return Math.max(...ends);
  const ready = findCondition(pod.status?.conditions, 'Ready');
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, creationTimestamp } = pod.metadata ?? {};
  const deleted = millisecondsOf(deletionTimestamp);
  return (
    (ready?.status === 'False' ? millisecondsOf(ready.lastTransitionTime) : undefined) ??
    (deleted === undefined ? undefined : deleted - deletionGracePeriodSeconds * 1000) ??
    millisecondsOf(creationTimestamp) ??
    0
  );
}

/** Wait after the first failure, and the longest one, in milliseconds. */
const podBackOff = { first: 10_000, longest: 600_000 };

/**
 * Milliseconds until the next pod may be created: each failure since the last success doubles the wait.
 * Derived from the pods that are there, so that it holds over a restart.
 */
export function backOffLeft(job: Job, pods: readonly Pod[], now: number): number {
  let lastSuccess = Number.NEGATIVE_INFINITY;
  for (const pod of pods)
    if (pod.status?.phase === 'Succeeded') lastSuccess = Math.max(lastSuccess, finishedAt(pod));
  const failures = pods
    .filter((pod) => isPodFailed(pod, job))
    .map(finishedAt)
    .filter((time) => time > lastSuccess);
  if (failures.length === 0) return 0;
  const wait = Math.min(podBackOff.first * 2 ** (failures.length - 1), podBackOff.longest);
  return Math.max(0, Math.max(...failures) + wait - now);
}
