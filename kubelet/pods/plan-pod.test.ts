import t from 'tap';
import type { Container, ContainerStatus, Pod } from '../../api/types/core-v1.ts';
import type { PodRuntimeState, RuntimeContainer, RuntimeSandbox } from '../runtime/types.ts';
import type { BackOff } from './back-off.ts';
import { type PodAction, type PodPlanInput, planPod, type Unhealthy } from './plan-pod.ts';

const now = Date.parse('2026-01-01T12:00:00Z');
const at = (secondsAgo: number) => `${new Date(now - secondsAgo * 1000).toISOString().slice(0, 19)}Z`;
const hash = (container: Container) => `hash of ${container.image}`;

const sandbox = (attempt = 0, state: RuntimeSandbox['state'] = 'running'): RuntimeSandbox => ({
  id: `sandbox-${attempt}`,
  attempt,
  state,
  createdAt: at(100),
  ip: '10.0.0.2',
  hostNetwork: false,
});

const container = (
  name: string,
  state: RuntimeContainer['state'] = 'running',
  more: Partial<RuntimeContainer> = {},
): RuntimeContainer => ({
  id: `${name}-${more.attempt ?? 0}`,
  name,
  attempt: 0,
  state,
  image: 'image',
  imageID: 'sha256:1',
  hash: 'hash of image',
  sandboxID: 'sandbox-0',
  createdAt: at(90),
  ...(state !== 'created' && { startedAt: at(90) }),
  ...(state === 'exited' && { finishedAt: at(5), exitCode: 1 }),
  ...more,
});

const spec = (name: string, more: Partial<Container> = {}): Container => ({ name, image: 'image', ...more });

interface Case {
  title: string;
  /** Names of containers, or their specs. */
  containers?: Container[];
  init?: Container[];
  restartPolicy?: string;
  phase?: string;
  statuses?: ContainerStatus[];
  sandboxes?: RuntimeSandbox[];
  runs?: RuntimeContainer[];
  unhealthy?: Record<string, Unhealthy>;
  started?: string[];
  backOff?: Record<string, BackOff>;
  /** Seconds until what runs is killed. */
  stop?: number;
  hostNetwork?: boolean;
  expect: string[];
  waiting?: string[];
  finished?: boolean;
  recheckIn?: number;
}

function input(one: Case): PodPlanInput {
  const pod: Pod = {
    metadata: { name: 'p', namespace: 'n', uid: 'u' },
    spec: {
      containers: one.containers ?? [spec('a')],
      ...(one.init && { initContainers: one.init }),
      restartPolicy: one.restartPolicy ?? 'Always',
      terminationGracePeriodSeconds: 30,
      hostNetwork: one.hostNetwork,
    },
    status: { ...(one.phase && { phase: one.phase }), containerStatuses: one.statuses },
  };
  const observed: PodRuntimeState = {
    uid: 'u',
    name: 'p',
    namespace: 'n',
    gracePeriod: 30,
    sandboxes: one.sandboxes ?? [sandbox()],
    containers: (one.runs ?? []).toSorted((a, b) => b.attempt - a.attempt),
  };
  return {
    pod,
    observed,
    now,
    unhealthy: new Map(Object.entries(one.unhealthy ?? {})),
    started: new Set(one.started ?? []),
    backOff: new Map(Object.entries(one.backOff ?? {})),
    hash,
    ...(one.stop !== undefined && { stop: { deadline: now + one.stop * 1000 } }),
  };
}

/** Actions as one line each. */
const shown = (one: Case): string[] => planPod(input(one)).actions.map(line);

function line(action: PodAction): string {
  switch (action.type) {
    case 'createSandbox':
      return `sandbox ${action.attempt}`;
    case 'startContainer':
      return `start ${action.container.name} ${action.attempt} in ${action.sandboxAttempt}`;
    case 'killContainer':
      return `kill ${action.runtime.id} ${action.gracePeriod}s: ${action.message}`;
    case 'stopSandbox':
      return `stop ${action.sandbox.id}`;
    case 'removeContainer':
      return `remove ${action.id}`;
  }
}

const status = (name: string, more: Partial<ContainerStatus>): ContainerStatus => ({
  name,
  image: 'image',
  imageID: '',
  ready: false,
  restartCount: 0,
  ...more,
});

const sidecar = spec('side', { restartPolicy: 'Always' });

const cases: Case[] = [
  {
    title: 'a new pod gets a sandbox and all its containers',
    containers: [spec('a'), spec('b')],
    sandboxes: [],
    expect: ['sandbox 0', 'start a 0 in 0', 'start b 0 in 0'],
  },
  {
    title: 'a new pod with init containers begins with the first of them',
    init: [spec('i1'), spec('i2')],
    sandboxes: [],
    expect: ['sandbox 0', 'start i1 0 in 0'],
  },
  { title: 'a pod that runs is left alone', runs: [container('a')], expect: [] },
  {
    title: 'a container that was made and not started is started under its own attempt',
    runs: [container('a', 'created', { attempt: 2 })],
    expect: ['start a 2 in 0'],
  },
  {
    title: 'a sandbox that was made and not started is taken up under its own attempt',
    sandboxes: [sandbox(3, 'created')],
    expect: ['sandbox 3', 'start a 0 in 3'],
  },
  {
    title: 'what was made for an older sandbox and never ran is removed',
    sandboxes: [sandbox(1), sandbox(0, 'exited')],
    runs: [container('a', 'created')],
    expect: ['remove a-0', 'start a 0 in 1'],
  },
  {
    title: 'init containers follow each other',
    init: [spec('i1'), spec('i2')],
    runs: [container('i1', 'exited', { exitCode: 0 })],
    expect: ['start i2 0 in 0'],
  },
  {
    title: 'containers wait for a running init container',
    init: [spec('i1')],
    runs: [container('i1')],
    expect: [],
  },
  {
    title: 'containers start after the last init container',
    init: [spec('i1')],
    runs: [container('i1', 'exited', { exitCode: 0 })],
    expect: ['start a 0 in 0'],
  },
  {
    title: 'an init container that failed is started again',
    init: [spec('i1')],
    runs: [container('i1', 'exited')],
    expect: ['start i1 1 in 0'],
  },
  {
    title: 'an init container that failed ends a pod that never restarts',
    init: [spec('i1')],
    restartPolicy: 'Never',
    runs: [container('i1', 'exited')],
    expect: ['stop sandbox-0'],
    finished: true,
  },
  {
    title: 'a finished init container does not run again beside running containers',
    init: [spec('i1')],
    runs: [container('a')],
    expect: [],
  },
  {
    title: 'the next init container waits until a sidecar has started',
    init: [sidecar, spec('i1')],
    runs: [container('side')],
    expect: [],
  },
  {
    title: 'the next init container follows a sidecar that has started',
    init: [sidecar, spec('i1')],
    runs: [container('side')],
    started: ['side-0'],
    expect: ['start i1 0 in 0'],
  },
  {
    title: 'a sidecar that ended is started again beside running containers, whatever the restart policy',
    init: [sidecar],
    restartPolicy: 'Never',
    runs: [container('side', 'exited', { exitCode: 0 }), container('a')],
    expect: ['start side 1 in 0'],
  },
  {
    title: 'Always restarts a container that succeeded',
    runs: [container('a', 'exited', { exitCode: 0 })],
    expect: ['start a 1 in 0'],
  },
  {
    title: 'OnFailure restarts a container that failed',
    restartPolicy: 'OnFailure',
    containers: [spec('a'), spec('b')],
    runs: [container('a', 'exited'), container('b')],
    expect: ['start a 1 in 0'],
  },
  {
    title: 'OnFailure leaves a container that succeeded',
    restartPolicy: 'OnFailure',
    containers: [spec('a'), spec('b')],
    runs: [container('a', 'exited', { exitCode: 0 }), container('b')],
    expect: [],
  },
  {
    title: 'Never leaves a container that failed',
    restartPolicy: 'Never',
    containers: [spec('a'), spec('b')],
    runs: [container('a', 'exited'), container('b')],
    expect: [],
  },
  {
    title: 'a pod whose containers have all ended for good gives up its sandbox',
    restartPolicy: 'Never',
    runs: [container('a', 'exited')],
    expect: ['stop sandbox-0'],
    finished: true,
  },
  {
    title: 'a pod that ended and has no sandbox stays as it is',
    restartPolicy: 'OnFailure',
    sandboxes: [],
    runs: [container('a', 'exited', { exitCode: 0 })],
    expect: [],
    finished: true,
  },
  {
    title: 'sidecars are stopped when the containers have ended',
    init: [sidecar],
    restartPolicy: 'Never',
    runs: [container('side'), container('a', 'exited')],
    started: ['side-0'],
    expect: ['kill side-0 30s: Stopping container side'],
  },
  {
    title: 'a back-off holds a restart back and says so',
    runs: [container('a', 'exited')],
    backOff: { a: { duration: 10_000, since: now - 20_000 } },
    expect: [],
    waiting: ['a: CrashLoopBackOff: back-off 10s restarting failed container=a pod=p_n(u)'],
    recheckIn: 5,
  },
  {
    title: 'a back-off that is over lets the restart go',
    runs: [container('a', 'exited')],
    backOff: { a: { duration: 4000, since: now - 20_000 } },
    expect: ['start a 1 in 0'],
  },
  {
    title: 'the soonest of several back-offs decides when to look again',
    containers: [spec('a'), spec('b')],
    runs: [container('a', 'exited'), container('b', 'exited')],
    backOff: {
      a: { duration: 40_000, since: now - 20_000 },
      b: { duration: 20_000, since: now - 20_000 },
    },
    expect: [],
    waiting: [
      'a: CrashLoopBackOff: back-off 40s restarting failed container=a pod=p_n(u)',
      'b: CrashLoopBackOff: back-off 20s restarting failed container=b pod=p_n(u)',
    ],
    recheckIn: 15,
  },
  {
    title: 'a failed liveness probe stops the container, to be started again',
    runs: [container('a')],
    unhealthy: { 'a-0': { kind: 'liveness' } },
    expect: ['kill a-0 30s: Container a failed liveness probe, will be restarted'],
  },
  {
    title: "a probe's own grace period goes before the pod's",
    runs: [container('a')],
    unhealthy: { 'a-0': { kind: 'startup', gracePeriod: 3 } },
    expect: ['kill a-0 3s: Container a failed startup probe, will be restarted'],
  },
  {
    title: 'a failed liveness probe ends a container that never restarts',
    restartPolicy: 'Never',
    runs: [container('a')],
    unhealthy: { 'a-0': { kind: 'liveness' } },
    expect: ['kill a-0 30s: Container a failed liveness probe'],
  },
  {
    title: 'a container whose image changed is stopped, to be started again',
    containers: [spec('a', { image: 'newer' })],
    runs: [container('a')],
    expect: ['kill a-0 30s: Container a definition changed, will be restarted'],
  },
  {
    title: 'when the sandbox died, what still runs ends first',
    sandboxes: [sandbox(0, 'exited')],
    runs: [container('a')],
    expect: ['kill a-0 30s: Stopping container a'],
  },
  {
    title: 'when the sandbox died, the pod begins again in a new one',
    sandboxes: [sandbox(0, 'exited')],
    runs: [container('a', 'exited')],
    expect: ['sandbox 1', 'start a 1 in 1'],
  },
  {
    title: 'in a new sandbox init containers run again',
    init: [spec('i1')],
    sandboxes: [sandbox(1), sandbox(0, 'exited')],
    runs: [container('i1', 'exited', { exitCode: 0 }), container('a', 'exited')],
    expect: ['start i1 1 in 1'],
  },
  {
    title: 'in a new sandbox containers wait for their init containers of the new sandbox',
    init: [spec('i1')],
    sandboxes: [sandbox(1), sandbox(0, 'exited')],
    runs: [
      container('i1', 'exited', { exitCode: 0, attempt: 1, sandboxID: 'sandbox-1' }),
      container('a', 'exited'),
    ],
    expect: ['start a 1 in 1'],
  },
  {
    title: 'when the sandbox of a pod that never restarts died, the pod is over',
    restartPolicy: 'Never',
    sandboxes: [sandbox(0, 'exited')],
    runs: [container('a')],
    expect: ['kill a-0 30s: Stopping container a'],
  },
  {
    title: 'two running sandboxes are one too many: both go, and one comes',
    sandboxes: [sandbox(1), sandbox(0)],
    expect: ['stop sandbox-1', 'stop sandbox-0', 'sandbox 2', 'start a 0 in 2'],
  },
  {
    title: 'a sandbox on the wrong network is replaced',
    hostNetwork: true,
    expect: ['stop sandbox-0', 'sandbox 1', 'start a 0 in 1'],
  },
  {
    title: 'a container that runs in an older sandbox ends before anything else',
    sandboxes: [sandbox(1), sandbox(0, 'exited')],
    runs: [container('a')],
    expect: ['kill a-0 30s: Stopping container a'],
  },
  {
    title: 'a container that was removed while it ran starts with the next attempt',
    statuses: [status('a', { restartCount: 4, state: { running: {} } })],
    expect: ['start a 5 in 0'],
  },
  {
    title: 'a completed container that was removed is not run again',
    restartPolicy: 'OnFailure',
    sandboxes: [],
    statuses: [status('a', { state: { terminated: { exitCode: 0 } } })],
    expect: [],
    finished: true,
  },
  {
    title: 'a terminal phase is never left again',
    phase: 'Failed',
    runs: [container('a')],
    expect: ['kill a-0 30s: Stopping container a'],
  },
  {
    title: 'a deleted pod stops its containers side by side with what is left of its time',
    containers: [spec('a'), spec('b')],
    runs: [container('a'), container('b')],
    stop: 12,
    expect: ['kill a-0 12s: Stopping container a', 'kill b-0 12s: Stopping container b'],
  },
  {
    title: 'a deleted pod gives each container a second at least',
    runs: [container('a')],
    stop: -5,
    expect: ['kill a-0 1s: Stopping container a'],
  },
  {
    title: 'a deleted pod stops sidecars after the containers, the last first',
    init: [sidecar, spec('side2', { restartPolicy: 'Always' })],
    runs: [container('side'), container('side2'), container('a', 'exited')],
    stop: 5,
    expect: ['kill side2-0 5s: Stopping container side2'],
  },
  {
    title: 'a deleted pod does not stop sidecars before the containers',
    init: [sidecar],
    runs: [container('side'), container('a')],
    stop: 5,
    expect: ['kill a-0 5s: Stopping container a'],
  },
  {
    title: 'a deleted pod whose containers ended stops its sandbox',
    runs: [container('a', 'exited')],
    stop: 5,
    expect: ['stop sandbox-0'],
    finished: true,
  },
  {
    title: 'a deleted pod that never ran is finished at once',
    sandboxes: [],
    stop: 30,
    expect: [],
    finished: true,
  },
];

for (const one of cases)
  t.test(one.title, async (t) => {
    const plan = planPod(input(one));
    t.same(shown(one), one.expect);
    t.equal(plan.finished, one.finished ?? false, 'finished');
    t.same(
      [...plan.waiting].map(([name, { reason, message }]) => `${name}: ${reason}: ${message}`),
      one.waiting ?? [],
    );
    t.equal(plan.recheckAt, one.recheckIn === undefined ? undefined : now + one.recheckIn * 1000);
  });

t.test('a kill runs the preStop hook of a container that has one', async (t) => {
  const hook = { exec: { command: ['true'] } };
  const one: Case = {
    title: '',
    containers: [spec('a', { lifecycle: { preStop: hook } }), spec('b')],
    runs: [container('a'), container('b')],
    stop: 5,
    expect: [],
  };
  const kills = planPod(input(one)).actions.filter((action) => action.type === 'killContainer');
  t.same(
    kills.map((action) => [action.runtime.name, action.preStop]),
    [
      ['a', true],
      ['b', false],
    ],
  );
});

t.test('carrying a plan out again and again ends: any number of cuts leads to the same pod', async (t) => {
  // A model of the engine: each round carries out only the first action of the plan, as if killed after it.
  const one: Case = {
    title: '',
    containers: [spec('a'), spec('b')],
    init: [spec('i')],
    sandboxes: [],
    runs: [],
    expect: [],
  };
  for (let round = 0; round < 10; round++) {
    const [action] = planPod(input(one)).actions;
    if (!action) break;
    if (action.type === 'createSandbox') one.sandboxes = [sandbox(action.attempt), ...(one.sandboxes ?? [])];
    if (action.type === 'startContainer') {
      const { name } = action.container;
      const ran = name === 'i' ? ({ exitCode: 0 } as const) : {};
      one.runs = [
        container(name, name === 'i' ? 'exited' : 'running', { attempt: action.attempt, ...ran }),
        ...(one.runs ?? []),
      ];
    }
  }
  t.same(one.runs?.map(({ name, attempt, state }) => `${name} ${attempt} ${state}`).sort(), [
    'a 0 running',
    'b 0 running',
    'i 0 exited',
  ]);
  t.equal(one.sandboxes?.length, 1);
});
