import t from 'tap';
import type { Taint } from '../../api/types/core-v1.ts';
import { aNode, at } from '../testing/objects.ts';
import { disruptionOf, planHealth, planTaints } from './plan.ts';

const periods = { monitor: 40_000, startup: 60_000 };

t.test('a node that gives signs of life is left alone until its silence would be too long', async (t) => {
  t.same(planHealth({ node: aNode('n', { ready: 'True' }), probedAt: 10_000 }, periods, 20_000), {
    again: 30_000,
  });
});

t.test('a silent node is marked as unknown in all that it said about itself', async (t) => {
  const plan = planHealth({ node: aNode('n', { ready: 'True' }), probedAt: 0 }, periods, 40_000);
  t.match(plan.conditions, [
    {
      type: 'Ready',
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
      lastHeartbeatTime: at(0),
      lastTransitionTime: at(40),
    },
    { type: 'MemoryPressure', status: 'Unknown', reason: 'NodeStatusNeverUpdated' },
    { type: 'DiskPressure', status: 'Unknown', message: 'Kubelet never posted node status.' },
    { type: 'PIDPressure', status: 'Unknown' },
  ]);
  const marked = { ...aNode('n'), status: { conditions: plan.conditions! } };
  t.same(planHealth({ node: marked, probedAt: 0 }, periods, 90_000), {}, 'once');
});

t.test('a new node has longer, from its creation', async (t) => {
  const node = aNode('n', { created: 100 });
  t.same(planHealth({ node, probedAt: 90_000 }, periods, 100_000), { again: 60_000 });
  t.ok(planHealth({ node, probedAt: 90_000 }, periods, 160_000).conditions);
});

const taint = (key: string, effect: string): Taint => ({ key: `node.kubernetes.io/${key}`, effect });
const told = (taints: Taint[] | undefined) =>
  taints?.map(({ key, effect }) => `${key.replace('node.kubernetes.io/', '')}:${effect}`);

t.test('taints follow the conditions', async (t) => {
  const notReady = [taint('not-ready', 'NoSchedule'), taint('not-ready', 'NoExecute')];
  const foreign = { key: 'gpu', effect: 'NoSchedule' };
  const cases: [string, ReturnType<typeof aNode>, string[] | undefined][] = [
    ['ready', aNode('n', { ready: 'True' }), undefined],
    ['not ready', aNode('n', { ready: 'False' }), ['not-ready:NoSchedule', 'not-ready:NoExecute']],
    ['unknown', aNode('n', { ready: 'Unknown' }), ['unreachable:NoSchedule', 'unreachable:NoExecute']],
    [
      'from not ready to unknown',
      aNode('n', { ready: 'Unknown', taints: notReady }),
      ['unreachable:NoSchedule', 'unreachable:NoExecute'],
    ],
    ['ready again', aNode('n', { ready: 'True', taints: notReady }), []],
    ['already so', aNode('n', { ready: 'False', taints: notReady }), undefined],
    ['others stay', aNode('n', { ready: 'True', taints: [foreign, ...notReady] }), ['gpu:NoSchedule']],
    ['cordoned', aNode('n', { ready: 'True', unschedulable: true }), ['unschedulable:NoSchedule']],
    ['not judged yet', aNode('n', { taints: [taint('not-ready', 'NoSchedule')] }), undefined],
  ];
  for (const [title, node, expected] of cases) t.same(told(planTaints(node, 'none', 0)), expected, title);
  const pressed = aNode('n', { ready: 'True' });
  pressed.status!.conditions!.push({ type: 'DiskPressure', status: 'True' });
  t.same(told(planTaints(pressed, 'none', 0)), ['disk-pressure:NoSchedule']);
});

t.test('a taint tells since when, and keeps it', async (t) => {
  const first = planTaints(aNode('n', { ready: 'False' }), 'none', 5000)!;
  t.equal(first[0]?.timeAdded, at(5));
  const cordoned = planTaints(
    aNode('n', { ready: 'False', taints: first, unschedulable: true }),
    'none',
    9000,
  )!;
  t.same(
    cordoned.map(({ timeAdded }) => timeAdded),
    [at(5), at(5), at(9)],
  );
});

t.test('when all nodes fail none is emptied', async (t) => {
  const lost = [taint('unreachable', 'NoSchedule'), taint('unreachable', 'NoExecute')];
  t.same(told(planTaints(aNode('n', { ready: 'Unknown', taints: lost }), 'full', 0)), [
    'unreachable:NoSchedule',
  ]);
  t.same(told(planTaints(aNode('n', { ready: 'Unknown' }), 'partial', 0)), ['unreachable:NoSchedule']);
  t.equal(
    planTaints(aNode('n', { ready: 'Unknown', taints: lost }), 'partial', 0),
    undefined,
    'the taint stays',
  );
});

t.test('how the nodes stand together', async (t) => {
  const nodes = (ready: number, unready: number) => [
    ...Array.from({ length: ready }, (_, i) => aNode(`r${i}`, { ready: 'True' })),
    ...Array.from({ length: unready }, (_, i) => aNode(`u${i}`, { ready: 'Unknown' })),
  ];
  const cases: [number, number, string][] = [
    [1, 0, 'none'],
    [0, 0, 'none'],
    [0, 1, 'full'],
    [1, 1, 'none'],
    [1, 2, 'none'],
    [2, 3, 'partial'],
    [3, 3, 'none'],
    [20, 40, 'none'],
  ];
  for (const [ready, unready, expected] of cases)
    t.equal(disruptionOf(nodes(ready, unready)), expected, `${ready}/${unready}`);
  t.equal(disruptionOf([aNode('new')]), 'none', 'a node that has said nothing does not count');
});
