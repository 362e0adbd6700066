import t from 'tap';
import type { Pod } from '../../api/types/core-v1.ts';
import { aPod } from '../testing/objects.ts';
import { compareVictims, victims } from './rank.ts';

const cost = (value: string) => ({ annotations: { 'controller.kubernetes.io/pod-deletion-cost': value } });
const ready = { node: 'n', readySince: 0 };

const cases: [why: string, first: Pod, second: Pod][] = [
  ['unassigned before assigned', aPod('a', { phase: 'Pending' }), aPod('b', { phase: 'Pending', node: 'n' })],
  ['pending before running', aPod('a', { phase: 'Pending', node: 'n' }), aPod('b', { node: 'n' })],
  [
    'pending before unknown',
    aPod('a', { phase: 'Pending', node: 'n' }),
    aPod('b', { phase: 'Unknown', node: 'n' }),
  ],
  ['not ready before ready', aPod('a', { node: 'n' }), aPod('b', ready)],
  ['lower deletion cost first', aPod('a', { ...ready, ...cost('-5') }), aPod('b', ready)],
  [
    'a malformed cost counts as none',
    aPod('a', { ...ready, ...cost('x') }),
    aPod('b', { ...ready, ...cost('1') }),
  ],
  ['more crowded node first', aPod('a', { node: 'crowded', readySince: 0 }), aPod('b', ready)],
  [
    'ready for a shorter time first',
    aPod('a', { node: 'n', readySince: 90 }),
    aPod('b', { node: 'n', readySince: 0 }),
  ],
  ['more restarts first', aPod('a', { ...ready, restarts: 3 }), aPod('b', { ...ready, restarts: 1 })],
  ['younger first', aPod('a', { ...ready, created: 95 }), aPod('b', { ...ready, created: 0 })],
];

for (const [why, first, second] of cases)
  t.test(why, async (t) => {
    const neighbours = (pod: Pod) => (pod.spec?.nodeName === 'crowded' ? 5 : 1);
    t.ok(compareVictims(first, second, neighbours, 100_000) < 0);
    t.ok(compareVictims(second, first, neighbours, 100_000) > 0);
  });

t.test(
  'pods that became ready in the same stretch of time are taken in the order of their uids',
  async (t) => {
    const a = aPod('a', { node: 'n', readySince: 40 });
    const b = aPod('b', { node: 'n', readySince: 41 });
    t.ok(compareVictims(a, b, () => 0, 100_000) < 0, 'although b is younger');
  },
);

t.test('the pods of all related controllers make a node crowded', async (t) => {
  const pods = [aPod('a', { node: 'n1', readySince: 0 }), aPod('b', { node: 'n2', readySince: 0 })];
  const other = aPod('other', { node: 'n2', readySince: 0 });
  const chosen = victims({ pods, related: [...pods, other], count: 1, now: 100_000 });
  t.same(
    chosen.map((pod) => pod.metadata?.name),
    ['b'],
  );
});
