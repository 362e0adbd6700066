import t from 'tap';
import type { Pod } from '../../api/types/core-v1.ts';
import { type EvictionCandidate, Evictor, evictionFailure, pickEviction } from './eviction.ts';

const mebi = 2 ** 20;
const candidate = (name: string, used: number, requested = 0, priority = 0): EvictionCandidate => ({
  pod: {
    metadata: { name },
    spec: { priority, containers: [{ name: 'c', resources: { requests: { memory: `${requested}Mi` } } }] },
  },
  memoryBytes: used * mebi,
});

t.test('who goes first', async (t) => {
  const cases: [string, EvictionCandidate[], string | undefined][] = [
    ['nobody', [], undefined],
    ['the largest excess', [candidate('a', 10), candidate('b', 20)], 'b'],
    ['excess, not use', [candidate('a', 100, 95), candidate('b', 20)], 'b'],
    ['over its request before within it', [candidate('a', 10, 20, -5), candidate('b', 1)], 'b'],
    ['low priority before large excess', [candidate('a', 10, 0, 1), candidate('b', 5)], 'b'],
    ['critical pods stay', [candidate('a', 99, 0, 2_000_000_000)], undefined],
  ];
  for (const [title, list, expected] of cases)
    t.equal(pickEviction(list)?.pod.metadata?.name, expected, title);
});

t.test('an evicted pod says why', async (t) => {
  t.same(evictionFailure(50 * mebi), {
    reason: 'Evicted',
    message: 'The node was low on resource: memory. Threshold quantity: 100Mi, available: 51200Ki. ',
  });
});

t.test('one eviction at a time', async (t) => {
  const evicted: Pod[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const evictor = new Evictor({
    candidates: async () => [candidate('a', 1)],
    evict: async (pod) => {
      evicted.push(pod);
      await promise;
    },
  });
  const first = evictor.relieve(0);
  await evictor.relieve(0);
  resolve();
  await first;
  t.equal(evicted.length, 1);
  await evictor.relieve(0);
  t.equal(evicted.length, 2);
});
