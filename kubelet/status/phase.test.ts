import t from 'tap';
import type { ContainerState, ContainerStatus } from '../../api/types/core-v1.ts';
import { podPhase } from './phase.ts';

const running: ContainerState = { running: {} };
const waiting: ContainerState = { waiting: { reason: 'ContainerCreating' } };
const ended = (exitCode: number): ContainerState => ({ terminated: { exitCode } });

const status = (name: string, state: ContainerState, lastState: ContainerState = {}): ContainerStatus => ({
  name,
  image: '',
  imageID: '',
  ready: false,
  restartCount: 0,
  started: state.running !== undefined,
  state,
  lastState,
});

interface Case {
  title: string;
  init?: [ContainerState, ContainerState?][];
  states: [ContainerState, ContainerState?][];
  policy?: string;
  finished?: boolean;
  sidecar?: boolean;
  expect: string;
}

const cases: Case[] = [
  { title: 'nothing made yet', states: [[waiting]], expect: 'Pending' },
  { title: 'all run', states: [[running], [running]], expect: 'Running' },
  { title: 'one still waits to be made', states: [[running], [waiting]], expect: 'Pending' },
  { title: 'one crashed and waits for its restart', states: [[waiting, ended(1)]], expect: 'Running' },
  { title: 'ended, to be restarted', states: [[ended(0)]], expect: 'Running' },
  { title: 'all succeeded, OnFailure', states: [[ended(0)]], policy: 'OnFailure', expect: 'Succeeded' },
  {
    title: 'one failed, OnFailure',
    states: [[ended(0)], [ended(1)]],
    policy: 'OnFailure',
    expect: 'Running',
  },
  { title: 'all succeeded, Never', states: [[ended(0)], [ended(0)]], policy: 'Never', expect: 'Succeeded' },
  { title: 'one failed, Never', states: [[ended(0)], [ended(2)]], policy: 'Never', expect: 'Failed' },
  {
    title: 'one failed, one runs, Never',
    states: [[running], [ended(2)]],
    policy: 'Never',
    expect: 'Running',
  },
  { title: 'an init container runs', init: [[running]], states: [[waiting]], expect: 'Pending' },
  {
    title: 'an init container failed and retries',
    init: [[ended(1)]],
    states: [[waiting]],
    expect: 'Pending',
  },
  {
    title: 'an init container failed for good',
    init: [[ended(1)]],
    states: [[waiting]],
    policy: 'Never',
    expect: 'Failed',
  },
  { title: 'init containers are done', init: [[ended(0)]], states: [[running]], expect: 'Running' },
  {
    title: 'a sidecar runs beside',
    init: [[running]],
    states: [[running]],
    sidecar: true,
    expect: 'Running',
  },
  {
    title: 'a sidecar that restarts does not make a running pod pending',
    init: [[ended(1)]],
    states: [[running]],
    sidecar: true,
    expect: 'Running',
  },
  { title: 'deleted, all ended well', states: [[ended(0)]], finished: true, expect: 'Succeeded' },
  { title: 'deleted, one killed', states: [[ended(137)]], finished: true, expect: 'Failed' },
  { title: 'deleted before it ran', states: [[waiting]], finished: true, expect: 'Failed' },
];

for (const { title, init = [], states, policy = 'Always', finished = false, sidecar, expect } of cases)
  t.test(title, async (t) => {
    const names = (prefix: string, list: unknown[]) => list.map((_one, i) => ({ name: `${prefix}${i}` }));
    const spec = {
      restartPolicy: policy,
      containers: names('c', states),
      initContainers: names('i', init).map((one) => ({
        ...one,
        ...(sidecar && { restartPolicy: 'Always' }),
      })),
    };
    const initStatuses = init.map(([state, last], i) => status(`i${i}`, state, last));
    const statuses = states.map(([state, last], i) => status(`c${i}`, state, last));
    t.equal(podPhase({ spec, initStatuses, statuses, finished }), expect);
  });
