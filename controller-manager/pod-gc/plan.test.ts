import t from 'tap';
import { aNode, aPod } from '../testing/objects.ts';
import { planCollection } from './plan.ts';

const nodes = new Map([
  ['here', aNode('here', { ready: 'True' })],
  [
    'dead',
    aNode('dead', {
      ready: 'Unknown',
      taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }],
    }),
  ],
]);
const plan = (pods: ReturnType<typeof aPod>[], threshold = 0) => {
  const result = planCollection({ pods, nodeOf: (name) => nodes.get(name), threshold });
  return Object.fromEntries(
    Object.entries(result).map(([kind, list]) => [
      kind,
      list.map((pod: ReturnType<typeof aPod>) => pod.metadata?.name),
    ]),
  );
};

t.test('pods that nobody else deletes', async (t) => {
  const pods = [
    aPod('fine', { node: 'here' }),
    aPod('waiting', { phase: 'Pending' }),
    aPod('lost', { node: 'gone' }),
    aPod('unscheduled', { phase: 'Pending', deleted: true }),
    aPod('leaving', { node: 'here', deleted: true }),
    aPod('stuck', { node: 'dead', deleted: true }),
    aPod('on-dead-node', { node: 'dead' }),
  ];
  t.same(plan(pods), {
    terminated: [],
    outOfService: ['stuck'],
    orphaned: ['lost'],
    unscheduled: ['unscheduled'],
  });
});

t.test('the oldest ended pods go when there are too many', async (t) => {
  const pods = [3, 1, 2].map((created) => aPod(`p${created}`, { phase: 'Succeeded', node: 'here', created }));
  t.same(plan(pods, 1).terminated, ['p1', 'p2']);
  t.same(plan(pods, 3).terminated, []);
  t.same(plan(pods, 0).terminated, [], 'no limit');
});
