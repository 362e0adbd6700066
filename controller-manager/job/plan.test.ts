import t from 'tap';
import type { Job, JobSpec, JobStatus } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { aJob, aPod, at, type PodFacts } from '../testing/objects.ts';
import { indexAnnotation } from './indexes.ts';
import { type JobPlan, newCondition, planJob } from './plan.ts';
import { trackingFinalizer, viewOf } from './view.ts';

const tracked = (name: string, facts: PodFacts = {}): Pod =>
  aPod(name, { finalizers: [trackingFinalizer], node: 'n', ...facts });
const indexedPod = (index: number, facts: PodFacts = {}): Pod =>
  tracked(`p${index}${facts.phase ?? ''}`, { ...facts, annotations: { [indexAnnotation]: String(index) } });
const failedAt = (name: string, seconds: number) =>
  tracked(name, {
    phase: 'Failed',
    status: {
      conditions: [],
      containerStatuses: [
        {
          name: 'c',
          image: 'i',
          imageID: '',
          ready: false,
          restartCount: 0,
          state: { terminated: { exitCode: 1, finishedAt: at(seconds) } },
        },
      ],
    },
  });

const plan = (job: Job, pods: Pod[], now = 0, settled = true): JobPlan =>
  planJob(viewOf(job, pods), { now, settled });
const told = ({ action, verdict, again }: JobPlan) => ({
  ...(action && {
    action:
      action.type === 'create' ? `create ${action.indexes.length}` : `${action.type} ${action.pods.length}`,
  }),
  ...(verdict && { verdict: `${verdict.type} ${verdict.reason}` }),
  ...(again !== undefined && { again }),
});

const complete = 'SuccessCriteriaMet CompletionsReached';
const tooManyFailures = 'FailureTarget BackoffLimitExceeded';

const cases: {
  title: string;
  spec?: Partial<JobSpec>;
  status?: JobStatus;
  pods: Pod[];
  now?: number;
  settled?: boolean;
  expected: ReturnType<typeof told>;
}[] = [
  { title: 'starts one pod', pods: [], expected: { action: 'create 1' } },
  {
    title: 'starts as many as parallelism allows',
    spec: { completions: 10, parallelism: 3 },
    pods: [tracked('a')],
    expected: { action: 'create 2' },
  },
  {
    title: 'starts no more than are still needed',
    spec: { completions: 4, parallelism: 3 },
    status: { succeeded: 2 },
    pods: [tracked('a'), tracked('b', { phase: 'Succeeded' })],
    expected: {},
  },
  { title: 'waits for its own writes to be seen', pods: [], settled: false, expected: {} },
  {
    title: 'is done when enough have succeeded',
    spec: { completions: 2 },
    status: { succeeded: 1 },
    pods: [tracked('b', { phase: 'Succeeded' })],
    expected: { verdict: complete },
  },
  {
    title: 'counts pods that are on their way to be counted once',
    spec: { completions: 2 },
    status: { succeeded: 0, uncountedTerminatedPods: { succeeded: ['uid-a', 'uid-gone'] } },
    pods: [tracked('a', { phase: 'Succeeded' })],
    expected: { verdict: complete },
  },
  {
    title: 'a work queue fills up to its parallelism',
    spec: { completions: undefined, parallelism: 3 },
    pods: [tracked('a')],
    expected: { action: 'create 2' },
  },
  {
    title: 'a work queue starts nothing after a success',
    spec: { completions: undefined, parallelism: 3 },
    pods: [tracked('a', { phase: 'Succeeded' }), tracked('b')],
    expected: {},
  },
  {
    title: 'a work queue is done when its last pod has ended after a success',
    spec: { completions: undefined, parallelism: 3 },
    pods: [tracked('a', { phase: 'Succeeded' })],
    expected: { verdict: complete },
  },
  {
    title: 'waits ten seconds after the first failure',
    pods: [failedAt('a', 100)],
    now: 103_000,
    expected: { again: 7000 },
  },
  {
    title: 'waits twice as long after the second',
    pods: [failedAt('a', 80), failedAt('b', 100)],
    now: 110_000,
    expected: { again: 10_000 },
  },
  {
    title: 'tries again after the wait',
    pods: [failedAt('a', 100)],
    now: 110_000,
    expected: { action: 'create 1' },
  },
  {
    title: 'gives up beyond the back-off limit, and ends what still runs',
    spec: { backoffLimit: 1, completions: 3, parallelism: 2 },
    status: { failed: 1 },
    pods: [failedAt('b', 0), tracked('c')],
    expected: { action: 'terminate 1', verdict: tooManyFailures },
  },
  {
    title: 'restarts in place count against the limit',
    spec: {
      backoffLimit: 3,
      template: { spec: { containers: [], restartPolicy: 'OnFailure' } },
    },
    pods: [tracked('a', { restarts: 3 })],
    expected: { action: 'terminate 1', verdict: tooManyFailures },
  },
  {
    title: 'has to be done within its deadline',
    spec: { activeDeadlineSeconds: 10 },
    status: { startTime: at(5) },
    pods: [tracked('a')],
    now: 15_000,
    expected: { action: 'terminate 1', verdict: 'FailureTarget DeadlineExceeded' },
  },
  {
    title: 'looks again at its deadline',
    spec: { activeDeadlineSeconds: 10 },
    status: { startTime: at(5) },
    pods: [tracked('a')],
    now: 9_000,
    expected: { again: 6001 },
  },
  {
    title: 'a deadline does not run while suspended',
    spec: { activeDeadlineSeconds: 10, suspend: true },
    status: { startTime: at(5) },
    pods: [tracked('a')],
    now: 90_000,
    expected: { action: 'remove 1' },
  },
  {
    title: 'a deadline counts anew when the job is resumed',
    spec: { activeDeadlineSeconds: 10 },
    status: { startTime: at(5), conditions: [{ type: 'Suspended', status: 'True' }] },
    pods: [],
    now: 90_000,
    expected: { action: 'create 1', again: 10_001 },
  },
  {
    title: 'removes pods beyond a lowered parallelism',
    spec: { completions: 9, parallelism: 1 },
    pods: [tracked('a'), tracked('b'), tracked('c')],
    expected: { action: 'remove 2' },
  },
  {
    title: 'a deleted pod is replaced at once',
    spec: { backoffLimit: 6 },
    pods: [tracked('a', { deleted: true })],
    now: 60_000,
    expected: { action: 'create 1' },
  },
  {
    title: 'a deleted pod is waited for if only failed ones are to be replaced',
    spec: { podReplacementPolicy: 'Failed' },
    pods: [tracked('a', { deleted: true })],
    now: 60_000,
    expected: {},
  },
  {
    title: 'a failure that a policy ignores does not count',
    spec: {
      backoffLimit: 0,
      podReplacementPolicy: 'Failed',
      podFailurePolicy: { rules: [{ action: 'Ignore', onExitCodes: { operator: 'In', values: [1] } }] },
    },
    pods: [failedAt('a', 0)],
    now: 60_000,
    expected: { action: 'create 1' },
  },
  {
    title: 'a failure may fail the job at once',
    spec: {
      podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [1] } }] },
    },
    pods: [failedAt('a', 0)],
    expected: { verdict: 'FailureTarget PodFailurePolicy' },
  },
];

for (const { title, spec, status, pods, now, settled, expected } of cases)
  t.test(title, async (t) => {
    t.same(told(plan(aJob(spec, status), pods, now, settled)), expected);
  });

t.test('a verdict that is stored stands', async (t) => {
  const failed = newCondition('FailureTarget', 'True', { reason: 'DeadlineExceeded', message: 'm' }, 0);
  const result = plan(aJob({}, { conditions: [failed] }), [tracked('a')], 5000, false);
  t.same(told(result), { action: 'terminate 1', verdict: 'FailureTarget DeadlineExceeded' });
});

t.test('indexed jobs', async (t) => {
  const spec = { completionMode: 'Indexed', completions: 5, parallelism: 3 };
  const indexes = (pods: Pod[], status?: JobStatus, more: Partial<JobSpec> = {}, now = 0) => {
    const { action } = plan(aJob({ ...spec, ...more }, status), pods, now);
    return action?.type === 'create' ? action.indexes : action;
  };
  t.same(indexes([]), [0, 1, 2]);
  t.same(indexes([indexedPod(1), indexedPod(0, { phase: 'Succeeded' })]), [2, 3]);
  t.same(indexes([], { completedIndexes: '0-2', succeeded: 3 }), [3, 4]);
  t.match(indexes([indexedPod(0), indexedPod(0, { phase: 'Pending' }), indexedPod(1)]), {
    type: 'remove',
    pods: [{ metadata: { name: 'p0Pending' } }],
  });
  t.equal(indexes([], { completedIndexes: '0-4', succeeded: 5 }), undefined);
});

t.test('with a limit an index, failures stay apart', async (t) => {
  const spec = { completionMode: 'Indexed', completions: 2, parallelism: 2, backoffLimitPerIndex: 0 };
  const failed = indexedPod(0, { phase: 'Failed' });
  const one = plan(aJob({ ...spec, backoffLimit: 9 }), [failed], 60_000);
  t.same(one.action, { type: 'create', indexes: [1] });
  const both = plan(aJob({ ...spec, backoffLimit: 9 }), [failed, indexedPod(1, { phase: 'Succeeded' })]);
  t.same(told(both), { verdict: 'FailureTarget FailedIndexes' });
  const many = plan(aJob({ ...spec, backoffLimit: 9, maxFailedIndexes: 0 }), [failed]);
  t.same(told(many), { verdict: 'FailureTarget MaxFailedIndexesExceeded' });
});
