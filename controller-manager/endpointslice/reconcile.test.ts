import fc from 'fast-check';
import t from 'tap';
import type { Endpoint, EndpointSlice } from '../../api/types/discovery-v1.ts';
import { type EndpointGroup, reconcileSlices, type SlicePlan } from './reconcile.ts';

const endpoint = (id: number, ready = true): Endpoint => ({
  addresses: [`10.0.${id >> 8}.${id & 255}`],
  conditions: { ready },
  targetRef: { kind: 'Pod', uid: `uid-${id}` },
});
const group = (ids: number[], port = 80): EndpointGroup => ({
  addressType: 'IPv4',
  ports: [{ name: '', port, protocol: 'TCP' }],
  endpoints: ids.map((id) => endpoint(id)),
});
const slice = (name: string, ids: number[], port = 80): EndpointSlice => ({
  metadata: { name, labels: { a: 'b' } },
  addressType: 'IPv4',
  ports: [{ name: '', port, protocol: 'TCP' }],
  endpoints: ids.map((id) => endpoint(id)),
});
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const reconcile = (desired: EndpointGroup[], existing: EndpointSlice[], maxEndpoints = 3) =>
  reconcileSlices({
    desired,
    existing,
    maxEndpoints,
    metadata: { generateName: 'web-', labels: { a: 'b' } },
  });
const told = (plan: SlicePlan) => ({
  create: plan.create.map((item) => item.endpoints?.length),
  update: plan.update.map((item) => item.metadata?.name),
  delete: plan.delete.map((item) => item.metadata?.name),
});

t.test('few writes for each change', async (t) => {
  const cases: [string, EndpointGroup[], EndpointSlice[], ReturnType<typeof told>][] = [
    ['nothing to do', [group([1, 2])], [slice('s', [1, 2])], { create: [], update: [], delete: [] }],
    ['full slices', [group(range(0, 7))], [], { create: [3, 3, 1], update: [], delete: [] }],
    [
      'a new one goes where there is room',
      [group(range(0, 5))],
      [slice('full', [0, 1, 2]), slice('room', [3])],
      { create: [], update: ['room'], delete: [] },
    ],
    ['one leaves', [group([1])], [slice('s', [1, 2])], { create: [], update: ['s'], delete: [] }],
    [
      'a place that becomes free is filled first',
      [group([1, 3, 4, 9])],
      [slice('a', [1, 2]), slice('b', [3, 4])],
      { create: [], update: ['a'], delete: [] },
    ],
    [
      'the last one leaves',
      [group([1])],
      [slice('a', [1]), slice('b', [2])],
      { create: [], update: [], delete: ['b'] },
    ],
    [
      'ports change: the slice is used again',
      [group([1, 2], 81)],
      [slice('s', [1, 2], 80)],
      { create: [], update: ['s'], delete: [] },
    ],
  ];
  for (const [title, desired, existing, expected] of cases)
    t.same(told(reconcile(desired, existing)), expected, title);
});

t.test('a changed condition and a changed label are written', async (t) => {
  const turned = { ...group([1, 2]), endpoints: [endpoint(1), endpoint(2, false)] };
  t.same(told(reconcile([turned], [slice('s', [1, 2])])).update, ['s']);
  const relabelled = { ...slice('s', [1, 2]), metadata: { name: 's', labels: { a: 'old' } } };
  const plan = reconcile([group([1, 2])], [relabelled]);
  t.same(plan.update[0]?.metadata?.labels, { a: 'b' });
});

t.test('from any state to any other: every endpoint stands exactly once, no slice is too long', async (t) => {
  const ids = fc.uniqueArray(fc.nat(30), { maxLength: 20 });
  fc.assert(
    fc.property(fc.array(ids, { maxLength: 4 }), ids, ids, (before, first, second) => {
      const existing = before.map((list, i) => slice(`s${i}`, list.slice(0, 5), 80 + (i % 2)));
      const desired = [group(first, 80), group(second, 81)];
      const plan = reconcile(desired, existing, 5);
      const gone = new Set(plan.delete.map((item) => item.metadata?.name));
      const updated = new Map(plan.update.map((item) => [item.metadata?.name, item]));
      const after = [
        ...existing
          .filter((item) => !gone.has(item.metadata?.name))
          .map((item) => updated.get(item.metadata?.name) ?? item),
        ...plan.create,
      ];
      for (const [wanted, port] of [
        [first, 80],
        [second, 81],
      ] as const) {
        const found = after
          .filter((item) => item.ports?.[0]?.port === port)
          .flatMap((item) => item.endpoints ?? [])
          .map((item) => item.targetRef?.uid)
          .sort();
        const expected = wanted.map((id) => `uid-${id}`).sort();
        if (String(found) !== String(expected))
          throw new Error(`port ${port}: ${found} instead of ${expected}`);
      }
      if (after.some((item) => (item.endpoints?.length ?? 0) > 5)) throw new Error('too long');
      const rest = reconcile(desired, after, 5);
      if (rest.create.length + rest.update.length + rest.delete.length > 0) throw new Error('not at rest');
    }),
    { numRuns: 300 },
  );
  t.pass('300 random changes');
});
