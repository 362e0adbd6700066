import t from 'tap';
import type { Pod, PodStatus } from '../../api/types/core-v1.ts';
import type { PodRuntimeState, RuntimeContainer } from '../runtime/types.ts';
import { buildPodStatus, type PodStatusInput, rejectedPodStatus } from './pod-status.ts';
import { statusPatch } from './status-diff.ts';

const now = Date.parse('2026-01-01T12:00:00Z');

const pod = (status: PodStatus = {}, more: Partial<Pod['spec']> = {}): Pod => ({
  metadata: { name: 'p', namespace: 'n', uid: 'u', generation: 3 },
  spec: { containers: [{ name: 'a', image: 'web:1' }], restartPolicy: 'Always', ...more },
  status,
});

const container = (more: Partial<RuntimeContainer> = {}): RuntimeContainer => ({
  id: 'id-a-0',
  name: 'a',
  attempt: 0,
  state: 'running',
  image: 'web:1',
  imageID: 'sha256:1',
  hash: '',
  sandboxID: 's',
  createdAt: '2026-01-01T11:59:00Z',
  startedAt: '2026-01-01T11:59:01Z',
  ...more,
});

const exited = (more: Partial<RuntimeContainer> = {}): RuntimeContainer =>
  container({ state: 'exited', exitCode: 1, finishedAt: '2026-01-01T11:59:30Z', ...more });

function input(of: Pod, containers: RuntimeContainer[], more: Partial<PodStatusInput> = {}): PodStatusInput {
  const observed: PodRuntimeState = {
    uid: 'u',
    name: 'p',
    namespace: 'n',
    gracePeriod: 30,
    sandboxes: [{ id: 's', attempt: 0, state: 'running', createdAt: '', ip: '10.0.0.7', hostNetwork: false }],
    containers,
  };
  return {
    pod: of,
    observed,
    waiting: new Map(),
    started: new Set(['id-a-0']),
    ready: new Set(['id-a-0']),
    imageIDOf: (id) => `docker://${id}`,
    hostIP: '192.0.2.1',
    now,
    finished: false,
    ...more,
  };
}

t.test('a pod that runs and is ready', async (t) => {
  const status = buildPodStatus(input(pod(), [container()]));
  t.match(status, {
    phase: 'Running',
    podIP: '10.0.0.7',
    podIPs: [{ ip: '10.0.0.7' }],
    hostIP: '192.0.2.1',
    hostIPs: [{ ip: '192.0.2.1' }],
    startTime: '2026-01-01T12:00:00Z',
    qosClass: 'BestEffort',
    observedGeneration: 3,
  });
  t.same(
    status.conditions?.map(({ type, status: truth, reason }) => `${type} ${truth} ${reason ?? ''}`.trim()),
    [
      'PodReadyToStartContainers True',
      'Initialized True',
      'Ready True',
      'ContainersReady True',
      'PodScheduled True',
    ],
  );
  t.same(status.containerStatuses, [
    {
      name: 'a',
      state: { running: { startedAt: '2026-01-01T11:59:01Z' } },
      lastState: {},
      ready: true,
      restartCount: 0,
      image: 'web:1',
      imageID: 'docker://sha256:1',
      containerID: 'docker://id-a-0',
      started: true,
    },
  ]);
});

t.test('a pod before its containers', async (t) => {
  const status = buildPodStatus(input(pod(), []));
  t.equal(status.phase, 'Pending');
  t.same(status.containerStatuses?.[0]?.state, { waiting: { reason: 'ContainerCreating' } });
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  t.match(ready, {
    status: 'False',
    reason: 'ContainersNotReady',
    message: 'containers with unready status: [a]',
  });
});

t.test('a pod whose init containers have not ended', async (t) => {
  const status = buildPodStatus(input(pod({}, { initContainers: [{ name: 'i' }, { name: 'j' }] }), []));
  t.same(status.containerStatuses?.[0]?.state, { waiting: { reason: 'PodInitializing' } });
  t.match(
    status.conditions?.find(({ type }) => type === 'Initialized'),
    {
      status: 'False',
      reason: 'ContainersNotInitialized',
      message: 'containers with incomplete status: [i j]',
    },
  );
});

t.test('a container in back-off tells its last end', async (t) => {
  const waiting = new Map([['a', { reason: 'CrashLoopBackOff', message: 'back-off 10s …' }]]);
  const status = buildPodStatus(input(pod(), [exited({ attempt: 2, message: 'boom' })], { waiting }));
  t.match(status.containerStatuses?.[0], {
    restartCount: 2,
    ready: false,
    started: false,
    state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s …' } },
    lastState: {
      terminated: { exitCode: 1, reason: 'Error', message: 'boom', containerID: 'docker://id-a-0' },
    },
  });
});

t.test('why a container ended', async (t) => {
  const reasons: [Partial<RuntimeContainer>, string, string?][] = [
    [{ exitCode: 0 }, 'Completed'],
    [{ exitCode: 3 }, 'Error'],
    [{ exitCode: 137, oomKilled: true }, 'OOMKilled'],
    [{ exitCode: 128, error: 'no such file' }, 'StartError', 'no such file'],
  ];
  for (const [more, reason, message] of reasons) {
    const status = buildPodStatus(input(pod(), [exited(more)]));
    t.match(status.containerStatuses?.[0]?.state?.terminated, { reason, ...(message && { message }) });
  }
});

t.test('the attempt before is the last state of the one that runs', async (t) => {
  const status = buildPodStatus(input(pod(), [container({ attempt: 1 }), exited({ id: 'old' })]));
  t.equal(status.containerStatuses?.[0]?.restartCount, 1);
  t.match(status.containerStatuses?.[0]?.lastState, { terminated: { containerID: 'docker://old' } });
});

t.test('a container that vanished while it ran was lost', async (t) => {
  const before = buildPodStatus(input(pod(), [container()]));
  const after = buildPodStatus(input(pod(before), []));
  t.match(after.containerStatuses?.[0]?.lastState?.terminated, {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    containerID: 'docker://id-a-0',
  });
});

t.test('times of conditions move only when the truth does', async (t) => {
  const early = buildPodStatus(input(pod(), [], { now: now - 60_000 }));
  const late = buildPodStatus(input(pod(early), [container()]));
  const timeOf = (status: PodStatus, type: string) =>
    status.conditions?.find((condition) => condition.type === type)?.lastTransitionTime;
  t.equal(timeOf(late, 'PodScheduled'), '2026-01-01T11:59:00Z');
  t.equal(timeOf(late, 'Ready'), '2026-01-01T12:00:00Z');
  t.equal(late.startTime, '2026-01-01T11:59:00Z');
});

t.test('readiness gates hold a ready pod back, and conditions of others are kept', async (t) => {
  const gate = { readinessGates: [{ conditionType: 'x.io/up' }] };
  const readyOf = (status: PodStatus) => status.conditions?.find(({ type }) => type === 'Ready');
  t.match(readyOf(buildPodStatus(input(pod({}, gate), [container()]))), {
    status: 'False',
    reason: 'ReadinessGatesNotReady',
    message: 'corresponding condition of pod readiness gate "x.io/up" does not exist.',
  });
  const conditions = [{ type: 'x.io/up', status: 'True' }];
  const open = buildPodStatus(input(pod({ conditions }, gate), [container()]));
  t.equal(readyOf(open)?.status, 'True');
  t.match(open.conditions?.at(-1), { type: 'x.io/up', status: 'True' });
});

t.test('a pod that ended keeps its phase, its address and its reason', async (t) => {
  const done = buildPodStatus(input(pod({}, { restartPolicy: 'Never' }), [exited({ exitCode: 0 })]));
  t.equal(done.phase, 'Succeeded');
  t.match(
    done.conditions?.find(({ type }) => type === 'Ready'),
    { status: 'False', reason: 'PodCompleted' },
  );
  const after = input(pod(done, { restartPolicy: 'Never' }), [exited({ exitCode: 1 })], { finished: true });
  after.observed.sandboxes = [];
  const later = buildPodStatus(after);
  t.equal(later.phase, 'Succeeded');
  t.equal(later.podIP, '10.0.0.7');
  const failed = buildPodStatus(
    input(pod(), [exited()], {
      finished: true,
      failure: { reason: 'DeadlineExceeded', message: 'too long' },
    }),
  );
  t.match(failed, { phase: 'Failed', reason: 'DeadlineExceeded', message: 'too long' });
  t.match(buildPodStatus(input(pod(failed), [exited()])), { phase: 'Failed', reason: 'DeadlineExceeded' });
});

t.test('a pod that was refused says why and claims no containers, before and after a restart', async (t) => {
  const refused = rejectedPodStatus(pod(), { reason: 'OutOfcpu', message: 'why' }, now);
  t.match(refused, { phase: 'Failed', reason: 'OutOfcpu', message: 'why' });
  t.notOk(refused.containerStatuses);
  t.same(buildPodStatus(input(pod(refused), [])), refused);
});

t.test('the patch of a status names what differs and nothing else', async (t) => {
  const before = buildPodStatus(input(pod(), []));
  t.equal(statusPatch(before, before), undefined);
  const after = buildPodStatus(input(pod(before), [container()]));
  const patch = statusPatch(before, after);
  t.same(Object.keys(patch ?? {}).sort(), ['conditions', 'containerStatuses', 'phase']);
  const conditions = patch?.conditions ?? [];
  t.same(
    conditions.map(({ type }) => type),
    ['Ready', 'ContainersReady'],
  );
  t.equal(conditions[0]?.reason, null, 'a reason that went away is taken away');
});

t.test('the patch leaves fields of other writers alone', async (t) => {
  const status = buildPodStatus(input(pod(), [container()]));
  t.equal(statusPatch({ ...status, nominatedNodeName: 'x' }, status), undefined);
  t.same(statusPatch({ ...status, reason: 'Old' }, status), { reason: null });
});
