import type { Job } from '../../api/types/batch-v1.ts';
import { millisecondsOf } from '../common/time.ts';

/**
 * Milliseconds that a job has left: 0 if it is to be deleted now, undefined if it may stay (no limit, not
 * finished, or on its way out already). https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/
 */
export function timeToLive(job: Job, now: number): number | undefined {
  const seconds = job.spec?.ttlSecondsAfterFinished;
  if (seconds === undefined || job.metadata?.deletionTimestamp) return undefined;
  const finished = job.status?.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
  const at = millisecondsOf(finished?.lastTransitionTime);
  return at === undefined ? undefined : Math.max(0, at + seconds * 1000 - now);
}
