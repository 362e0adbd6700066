import { findCondition } from '../../api/conditions.ts';
import type { Job, JobCondition, JobStatus } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { timestamp } from '../common/time.ts';
import { formatIndexes, indexOf } from './indexes.ts';
import { newCondition } from './plan.ts';
import { matchFailurePolicy } from './policies.ts';
import { isIndexed, isPodFailed, isSuspended, isTracked, type JobView, uidOf } from './view.ts';

/** The most uids that a status holds, so that it stays small. */
const mostUncounted = 500;

/** How the actions of this sync have changed what the view shows. */
export interface Outcome {
  active: number;
  ready: number;
  terminating: number;
}

export interface StatusPlan {
  status: JobStatus;
  /** Pods that are accounted for in the stored status: their finalizer can go. */
  release: Pod[];
  /** Set when this status says for the first time that the job is over. */
  finished?: JobCondition;
  /** Set when the job is suspended or resumed by this status. */
  suspension?: 'Suspended' | 'Resumed';
}

/**
 * The next status, so that every pod is counted exactly once whatever crashes in between:
 * an ended pod is first written to `uncountedTerminatedPods` (or to the completed indexes), then loses its
 * finalizer, and only when it is seen without (or is gone) moves from there to the counter.
 */
export function planJobStatus(
  view: JobView,
  options: { outcome: Outcome; verdict: JobCondition | undefined; now: number; managed: boolean },
): StatusPlan {
  const { job } = view;
  const { verdict, now } = options;
  const status: JobStatus = { ...job.status };
  if (!status.startTime && !isSuspended(job)) status.startTime = timestamp(now);
  status.active = options.outcome.active;
  status.ready = options.outcome.ready;
  status.terminating = options.outcome.terminating;

  const { release, uncounted, indexes, full } = countPods(view, verdict);
  status.succeeded = (job.status?.succeeded ?? 0) + uncounted.counted.succeeded;
  status.failed = (job.status?.failed ?? 0) + uncounted.counted.failed;
  status.uncountedTerminatedPods = {
    ...(uncounted.succeeded.length > 0 && { succeeded: uncounted.succeeded }),
    ...(uncounted.failed.length > 0 && { failed: uncounted.failed }),
  };
  if (isIndexed(job)) {
    status.succeeded = indexes.size;
    status.completedIndexes = formatIndexes(indexes);
    if (job.spec?.backoffLimitPerIndex !== undefined)
      status.failedIndexes = formatIndexes(view.failedIndexes);
  }
  const plan: StatusPlan = { status, release };
  if (verdict) {
    const left = uncounted.succeeded.length + uncounted.failed.length + release.length;
    const told = findCondition(job.status?.conditions, verdict.type)?.status === 'True';
    status.conditions = ensureCondition(status.conditions, verdict);
    if (told && left === 0 && !full && options.outcome.terminating === 0 && options.outcome.active === 0)
      finish(plan, verdict, now);
  } else if (options.managed) noteSuspension(plan, job, now);
  return plan;
}

function countPods(view: JobView, verdict: JobCondition | undefined) {
  const { job } = view;
  const completions = job.spec?.completions ?? 0;
  const indexed = isIndexed(job);
  const tracked = new Set(view.pods.filter(isTracked).map(uidOf));
  const succeeded = [...view.uncounted.succeeded].filter((uid) => tracked.has(uid));
  const failed = [...view.uncounted.failed].filter((uid) => tracked.has(uid));
  const counted = {
    succeeded: view.uncounted.succeeded.size - succeeded.length,
    failed: view.uncounted.failed.size - failed.length,
  };
  const indexes = new Set(view.storedIndexes);
  const release: Pod[] = [];
  let full = false;
  for (const pod of view.pods) {
    if (!isTracked(pod)) continue;
    const uid = uidOf(pod);
    const ended = pod.status?.phase === 'Succeeded' || isPodFailed(pod, job);
    if (!ended && !verdict && !job.metadata?.deletionTimestamp) continue;
    if (view.uncounted.succeeded.has(uid) || view.uncounted.failed.has(uid)) {
      release.push(pod);
      continue;
    }
    if (succeeded.length + failed.length >= mostUncounted) {
      full = true;
      break;
    }
    const index = indexed ? indexOf(pod, completions) : undefined;
    if (pod.status?.phase === 'Succeeded') {
      if (!indexed) succeeded.push(uid);
      else if (index === undefined || view.storedIndexes.has(index)) release.push(pod);
      else indexes.add(index);
      continue;
    }
    // Once a job has failed every pod that has not ended counts as failed.
    const counts = isPodFailed(pod, job) || (verdict && verdict.type !== 'SuccessCriteriaMet');
    const ignored = matchFailurePolicy(job.spec?.podFailurePolicy, pod)?.action === 'Ignore';
    if (counts && !ignored && (!indexed || index !== undefined)) failed.push(uid);
    else release.push(pod);
  }
  return { release, uncounted: { succeeded, failed, counted }, indexes, full };
}

/** Replaces a condition that says something else; a `False` that was never `True` is not added. */
function ensureCondition(conditions: JobCondition[] | undefined, next: JobCondition): JobCondition[] {
  const before = findCondition(conditions, next.type);
  if (!before) return next.status === 'False' ? (conditions ?? []) : [...(conditions ?? []), next];
  if (before.status === next.status && before.reason === next.reason && before.message === next.message)
    return conditions ?? [];
  return (conditions ?? []).map((condition) => (condition === before ? next : condition));
}

function finish(plan: StatusPlan, verdict: JobCondition, now: number): void {
  const type = verdict.type === 'SuccessCriteriaMet' ? 'Complete' : 'Failed';
  const { reason = '', message = '' } = verdict;
  const finished = newCondition(type, 'True', { reason, message }, now);
  plan.status.conditions = ensureCondition(plan.status.conditions, finished);
  if (type === 'Complete') plan.status.completionTime = finished.lastTransitionTime;
  plan.finished = finished;
}

function noteSuspension(plan: StatusPlan, job: Job, now: number): void {
  const suspended = isSuspended(job);
  const next = suspended
    ? newCondition('Suspended', 'True', { reason: 'JobSuspended', message: 'Job suspended' }, now)
    : newCondition('Suspended', 'False', { reason: 'JobResumed', message: 'Job resumed' }, now);
  const conditions = ensureCondition(plan.status.conditions, next);
  if (conditions.length === 0 || conditions === plan.status.conditions) return;
  plan.status.conditions = conditions;
  plan.suspension = suspended ? 'Suspended' : 'Resumed';
  // The deadline counts from the last time that the job began to run.
  if (!suspended) plan.status.startTime = timestamp(now);
}
