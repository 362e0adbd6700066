import { findCondition } from '../../api/conditions.ts';
import type { Job, JobCondition } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { millisecondsOf, timestamp } from '../common/time.ts';
import { compareVictims } from '../replicaset/rank.ts';
import { firstFree, indexOf } from './indexes.ts';
import { matchFailurePolicy, matchSuccessPolicy } from './policies.ts';
import {
  backOffLeft,
  isIndexed,
  isPodFailed,
  isSuspended,
  type JobView,
  replacesOnlyFailed,
} from './view.ts';

/** https://kubernetes.io/docs/concepts/workloads/controllers/job/ */

/** The most pods that one sync creates or deletes. */
const mostPerSync = 500;

export type JobAction =
  /** `indexes` has an entry a pod: its completion index, or undefined. */
  | { type: 'create'; indexes: (number | undefined)[] }
  /** Too many: they go without being counted. */
  | { type: 'remove'; pods: Pod[] }
  /** The job is decided: what still runs is ended, and counted. */
  | { type: 'terminate'; pods: Pod[] };

export interface JobPlan {
  action?: JobAction;
  /** The verdict of this sync, if there is one: `SuccessCriteriaMet` or `FailureTarget`. */
  verdict?: JobCondition;
  /** Milliseconds after which time alone changes the plan. */
  again?: number;
}

export function newCondition(
  type: string,
  status: 'True' | 'False',
  why: { reason: string; message: string },
  now: number,
): JobCondition {
  const time = timestamp(now);
  return { type, status, lastProbeTime: time, lastTransitionTime: time, ...why };
}

const isTrue = (job: Job, type: string): JobCondition | undefined => {
  const condition = findCondition(job.status?.conditions, type);
  return condition?.status === 'True' ? condition : undefined;
};

export const storedVerdict = (job: Job): JobCondition | undefined =>
  isTrue(job, 'SuccessCriteriaMet') ?? isTrue(job, 'FailureTarget');

/** Why the job has failed; undefined if it has not. */
function failureOf(view: JobView, now: number): { reason: string; message: string } | undefined {
  const { job, pods } = view;
  const { spec } = job;
  for (const pod of pods) {
    if (!spec?.podFailurePolicy || !isPodFailed(pod, job)) continue;
    const verdict = matchFailurePolicy(spec.podFailurePolicy, pod);
    if (verdict?.action === 'FailJob') return { reason: 'PodFailurePolicy', message: verdict.message };
  }
  const limit = spec?.backoffLimit ?? 6;
  if (view.failed > limit || restartsExceed(job, pods, limit))
    return { reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  if (timeToDeadline(job, now) === 0)
    return { reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
  const failed = view.failedIndexes.size;
  if (spec?.maxFailedIndexes !== undefined && failed > spec.maxFailedIndexes)
    return {
      reason: 'MaxFailedIndexesExceeded',
      message: 'Job has exceeded the specified maximal number of failed indexes',
    };
  if (failed > 0 && failed + view.completedIndexes.size >= (spec?.completions ?? 0))
    return { reason: 'FailedIndexes', message: 'Job has failed indexes' };
  return undefined;
}

/** With restartPolicy OnFailure the restarts of containers count against the limit. */
function restartsExceed(job: Job, pods: readonly Pod[], limit: number): boolean {
  if (job.spec?.template.spec?.restartPolicy !== 'OnFailure') return false;
  let restarts = 0;
  for (const { status } of pods)
    if (status?.phase === 'Running' || status?.phase === 'Pending')
      for (const container of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])])
        restarts += container.restartCount;
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** Milliseconds until the job's deadline; undefined if none runs. */
function timeToDeadline(job: Job, now: number): number | undefined {
  const seconds = job.spec?.activeDeadlineSeconds;
  if (seconds === undefined || isSuspended(job)) return undefined;
  // A job that is about to be resumed starts anew.
  const started = isTrue(job, 'Suspended') ? undefined : millisecondsOf(job.status?.startTime);
  return Math.max(0, (started ?? now) + seconds * 1000 - now);
}

/** Whether as many pods have succeeded as were asked for, and none is left to wait for. */
function isComplete(view: JobView): boolean {
  const { completions } = view.job.spec ?? {};
  if (view.active.length > 0) return false;
  return completions === undefined ? view.succeeded > 0 : view.succeeded >= completions;
}

/** What the pods of a job that is not finished call for. `settled`: all own earlier writes have been seen. */
export function planJob(view: JobView, options: { now: number; settled: boolean }): JobPlan {
  const { job } = view;
  const { now, settled } = options;
  const stored = storedVerdict(job);
  const failure = stored ? undefined : failureOf(view, now);
  const policy =
    !stored && !failure && isIndexed(job)
      ? matchSuccessPolicy(job.spec?.successPolicy, job.spec?.completions ?? 0, view.completedIndexes)
      : undefined;
  const verdict =
    stored ??
    (failure && newCondition('FailureTarget', 'True', failure, now)) ??
    (policy !== undefined
      ? newCondition('SuccessCriteriaMet', 'True', { reason: 'SuccessPolicy', message: policy }, now)
      : undefined);
  if (verdict) {
    const action = view.active.length > 0 ? ({ type: 'terminate', pods: view.active } as const) : undefined;
    // Pods that the copy does not show yet could be missed: the verdict waits until all are seen.
    if (!settled && !stored) return { ...(action && { action }) };
    return { ...(action && { action }), verdict };
  }
  const deadline = timeToDeadline(job, now);
  const again = deadline === undefined ? {} : { again: deadline + 1 };
  if (isComplete(view)) {
    const why = { reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
    return { verdict: newCondition('SuccessCriteriaMet', 'True', why, now) };
  }
  if (!settled || job.metadata?.deletionTimestamp) return again;
  return { ...again, ...planPods(view, now, again.again) };
}

function planPods(view: JobView, now: number, again: number | undefined): JobPlan {
  const { job, active } = view;
  if (isSuspended(job)) return active.length > 0 ? { action: { type: 'remove', pods: active } } : {};
  const parallelism = job.spec?.parallelism ?? 1;
  const completions = job.spec?.completions;
  const wanted =
    completions === undefined
      ? view.succeeded > 0
        ? active.length
        : parallelism
      : Math.max(0, Math.min(parallelism, completions - view.succeeded));
  const superfluous = podsToRemove(view, Math.max(0, active.length - wanted), now);
  if (superfluous.length > 0) return { action: { type: 'remove', pods: superfluous.slice(0, mostPerSync) } };
  const held = replacesOnlyFailed(job) ? view.terminating : 0;
  const missing = Math.min(wanted - held - active.length, mostPerSync);
  if (missing <= 0) return {};
  if (isIndexed(job) && job.spec?.backoffLimitPerIndex !== undefined) return planIndexes(view, missing, now);
  const wait = backOffLeft(job, view.pods, now);
  if (wait > 0) return { again: Math.min(wait, again ?? wait) };
  const indexes = isIndexed(job)
    ? freeIndexes(view, missing)
    : Array.from({ length: missing }, () => undefined);
  return indexes.length > 0 ? { action: { type: 'create', indexes } } : {};
}

/** Indexes that need a pod. One that is on its way out holds its index if its end is waited for. */
function freeIndexes(view: JobView, count: number): number[] {
  const completions = view.job.spec?.completions ?? 0;
  const taken = new Set([...view.completedIndexes, ...view.failedIndexes]);
  for (const pod of view.pods) {
    const index = indexOf(pod, completions);
    const holds =
      view.active.includes(pod) ||
      (replacesOnlyFailed(view.job) && pod.metadata?.deletionTimestamp !== undefined);
    if (index !== undefined && holds && !isPodFailed(pod, view.job)) taken.add(index);
  }
  return firstFree(count, completions, taken);
}

/** Each index has a back-off of its own. */
function planIndexes(view: JobView, count: number, now: number): JobPlan {
  const completions = view.job.spec?.completions ?? 0;
  const waits = new Map<number, number>();
  for (const index of freeIndexes(view, count)) {
    const own = view.pods.filter((pod) => indexOf(pod, completions) === index);
    waits.set(index, backOffLeft(view.job, own, now));
  }
  const indexes = [...waits].filter(([, wait]) => wait === 0).map(([index]) => index);
  const later = [...waits.values()].filter((wait) => wait > 0);
  return {
    ...(indexes.length > 0 && { action: { type: 'create', indexes } as const }),
    ...(later.length > 0 && { again: Math.min(...later) }),
  };
}

/** Pods of doubled or impossible indexes first, then the least valuable ones up to `atLeast`. */
function podsToRemove(view: JobView, atLeast: number, now: number): Pod[] {
  const { job } = view;
  const completions = job.spec?.completions ?? 0;
  const byWorth = (a: Pod, b: Pod) => compareVictims(a, b, () => 0, now);
  const remove: Pod[] = [];
  let rest = [...view.active];
  if (isIndexed(job)) {
    const best = new Map<number, Pod>();
    for (const pod of [...view.active].sort(byWorth)) {
      const index = indexOf(pod, completions);
      const worse = index === undefined ? pod : best.get(index);
      if (worse) remove.push(worse);
      if (index !== undefined) best.set(index, pod);
    }
    rest = [...best.values()];
  }
  if (remove.length < atLeast) remove.push(...rest.sort(byWorth).slice(0, atLeast - remove.length));
  return remove;
}
