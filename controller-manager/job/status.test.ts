import t from 'tap';
import type { Job, JobStatus } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { aJob, aPod, at, type PodFacts } from '../testing/objects.ts';
import { indexAnnotation } from './indexes.ts';
import { planJob } from './plan.ts';
import { planJobStatus } from './status.ts';
import { isTracked, trackingFinalizer, viewOf } from './view.ts';

const tracked = (name: string, facts: PodFacts = {}) =>
  aPod(name, { finalizers: [trackingFinalizer], ...facts });

function statusOf(job: Job, pods: Pod[], now = 9000) {
  const view = viewOf(job, pods);
  const { verdict } = planJob(view, { now, settled: true });
  const outcome = { active: view.active.length, ready: view.ready, terminating: view.terminating };
  return planJobStatus(view, { outcome, verdict, now, managed: true });
}
const names = (pods: Pod[]) => pods.map((pod) => pod.metadata?.name);

t.test('a pod is written down, released, and counted, in this order', async (t) => {
  const spec = { completions: 2, parallelism: 2 };
  const running = tracked('b');
  const first = statusOf(aJob(spec), [tracked('a', { phase: 'Succeeded' }), running]);
  t.match(first.status, { uncountedTerminatedPods: { succeeded: ['uid-a'] }, succeeded: 0, active: 1 });
  t.same(first.release, [], 'its finalizer stays until the status is stored');

  const second = statusOf(aJob(spec, first.status), [tracked('a', { phase: 'Succeeded' }), running]);
  t.same(names(second.release), ['a']);
  t.match(second.status, { uncountedTerminatedPods: { succeeded: ['uid-a'] }, succeeded: 0 });

  const third = statusOf(aJob(spec, second.status), [aPod('a', { phase: 'Succeeded' }), running]);
  t.same(third.status.uncountedTerminatedPods, {});
  t.equal(third.status.succeeded, 1);
  t.equal(statusOf(aJob(spec, third.status), [running]).status.succeeded, 1, 'and not again when it is gone');
});

t.test('whatever crashes in between, every pod is counted exactly once', async (t) => {
  const pods = [
    tracked('a', { phase: 'Succeeded' }),
    tracked('b', { phase: 'Succeeded' }),
    tracked('c', { phase: 'Failed' }),
  ];
  for (let crash = 0; crash < 64; crash++) {
    let job = aJob({ completions: 3, parallelism: 3, backoffLimit: 9 });
    let world = pods;
    for (let step = 0; step < 12; step++) {
      const plan = statusOf(job, world);
      // A crash before the status is stored, or after that before the finalizers go.
      if (step < 6 && crash & (1 << step) && step % 2 === 0) continue;
      job = { ...job, status: plan.status };
      if (step < 6 && crash & (1 << step)) continue;
      world = world.map((pod) =>
        plan.release.includes(pod) ? { ...pod, metadata: { ...pod.metadata, finalizers: [] } } : pod,
      );
    }
    t.match(job.status, { succeeded: 2, failed: 1 }, `crash pattern ${crash}`);
    t.notOk(world.some(isTracked));
  }
});

t.test('a finished job is told so only when all of its pods are counted and gone', async (t) => {
  const begun: JobStatus = { startTime: at(1) };
  const first = statusOf(aJob({}, begun), [tracked('a', { phase: 'Succeeded' })]);
  t.match(first.status.conditions, [
    {
      type: 'SuccessCriteriaMet',
      reason: 'CompletionsReached',
      message: 'Reached expected number of succeeded pods',
    },
  ]);
  t.equal(first.finished, undefined);
  const second = statusOf(aJob({}, first.status), [tracked('a', { phase: 'Succeeded' })]);
  t.equal(second.finished, undefined);
  const dying = tracked('x', { deleted: true, finalizers: [] });
  t.equal(statusOf(aJob({}, second.status), [aPod('a', { phase: 'Succeeded' }), dying]).finished, undefined);
  const third = statusOf(aJob({}, second.status), [aPod('a', { phase: 'Succeeded' })]);
  t.match(third.finished, { type: 'Complete', reason: 'CompletionsReached' });
  t.match(third.status, { succeeded: 1, completionTime: at(9), startTime: at(1) });
});

t.test('when a job fails, pods that still ran count as failed', async (t) => {
  const job = aJob({ backoffLimit: 0, completions: 2, parallelism: 2 }, { startTime: at(1) });
  const plan = statusOf(job, [tracked('a', { phase: 'Failed' }), tracked('b')]);
  t.same(plan.status.uncountedTerminatedPods?.failed, ['uid-a', 'uid-b']);
  t.match(plan.status.conditions, [{ type: 'FailureTarget', reason: 'BackoffLimitExceeded' }]);
});

t.test('an index counts once, however many of its pods succeed', async (t) => {
  const spec = { completionMode: 'Indexed', completions: 3, parallelism: 3 };
  const pod = (name: string, index: number) =>
    tracked(name, { phase: 'Succeeded', annotations: { [indexAnnotation]: String(index) } });
  const first = statusOf(aJob(spec), [pod('a', 1), pod('b', 1), pod('c', 2)]);
  t.match(first.status, { completedIndexes: '1,2', succeeded: 2 });
  const second = statusOf(aJob(spec, first.status), [pod('a', 1), pod('b', 1), pod('c', 2)]);
  t.same(names(second.release), ['a', 'b', 'c']);
});

t.test('suspending and resuming are told, and resuming restarts the clock', async (t) => {
  const suspended = statusOf(aJob({ suspend: true }), []);
  t.match(suspended, {
    suspension: 'Suspended',
    status: { conditions: [{ type: 'Suspended', status: 'True' }] },
  });
  t.equal(suspended.status.startTime, undefined);
  const again = statusOf(aJob({ suspend: true }, suspended.status), []);
  t.equal(again.suspension, undefined);
  const resumed = statusOf(aJob({}, suspended.status), []);
  t.match(resumed, {
    suspension: 'Resumed',
    status: { startTime: at(9), conditions: [{ status: 'False' }] },
  });
  t.equal(
    statusOf(aJob({}, { startTime: at(1) }), []).suspension,
    undefined,
    'a job that never was suspended',
  );
});

t.test('a job that is being deleted lets its pods go', async (t) => {
  const job = aJob();
  job.metadata!.deletionTimestamp = at(5);
  t.same(names(statusOf(job, [tracked('a')]).release), ['a']);
});
