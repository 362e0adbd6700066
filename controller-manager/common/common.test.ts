import t from 'tap';
import { aPod } from '../testing/objects.ts';
import { forEachAtOnce, inGrowingBatches } from './batches.ts';
import { jsonEqual } from './equal.ts';
import { scaledValue } from './integer-or-percent.ts';
import { podNamePrefix } from './pod-control.ts';
import { availableIn, isPodActive } from './pod-state.ts';
import { timestamp } from './time.ts';

t.test('int-or-string values are numbers or rounded percentages', async (t) => {
  const cases: [number | string, number, 'up' | 'down', number][] = [
    [3, 10, 'up', 3],
    ['25%', 3, 'up', 1],
    ['25%', 3, 'down', 0],
    ['100%', 7, 'down', 7],
    ['30%', 10, 'up', 3],
    ['0%', 10, 'up', 0],
    ['many', 10, 'up', 0],
  ];
  for (const [value, total, round, expected] of cases)
    t.equal(scaledValue(value, total, round), expected, `${value} of ${total}, ${round}`);
});

t.test('batches grow until one fails, and the rest is not tried', async (t) => {
  const running: number[] = [];
  const sizes: number[] = [];
  let inBatch = 0;
  const result = await inGrowingBatches(20, async (i) => {
    if (inBatch++ === 0) queueMicrotask(() => sizes.push(inBatch));
    running.push(i);
    await new Promise((resolve) => setImmediate(resolve));
    inBatch = 0;
    if (i === 5) throw new Error('quota');
  });
  t.same(sizes, [1, 2, 4]);
  t.match(result, { succeeded: 6, skipped: 13 });
  t.match(result.error, { message: 'quota' });
});

t.test('work on many items goes on after a failure and keeps to its limit', async (t) => {
  let now = 0;
  let most = 0;
  const seen: number[] = [];
  const failures = await forEachAtOnce([1, 2, 3, 4, 5], 2, async (item) => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setImmediate(resolve));
    now--;
    seen.push(item);
    if (item === 2) throw new Error('two');
  });
  t.same(seen.sort(), [1, 2, 3, 4, 5]);
  t.equal(most, 2);
  t.match(failures, [{ message: 'two' }]);
});

t.test('JSON is compared by what it says', async (t) => {
  t.ok(jsonEqual({ a: [1, { b: 'x' }], c: undefined }, { a: [1, { b: 'x' }] }));
  t.notOk(jsonEqual({ a: 1 }, { a: 1, b: 2 }));
  t.notOk(jsonEqual([1, 2], [2, 1]));
  t.notOk(jsonEqual({ a: null }, { a: {} }));
  t.notOk(jsonEqual([], {}));
});

t.test('times are whole seconds in UTC', async (t) => {
  t.equal(timestamp(Date.UTC(2030, 0, 2, 3, 4, 5, 678)), '2030-01-02T03:04:05Z');
});

t.test('a pod is available once it has been ready for long enough', async (t) => {
  t.equal(availableIn(aPod('p'), 0, 1000), undefined);
  t.equal(availableIn(aPod('p', { readySince: 1 }), 0, 1000), 0);
  t.equal(availableIn(aPod('p', { readySince: 1 }), 5, 2000), 4000);
  t.equal(availableIn(aPod('p', { readySince: 1 }), 5, 6000), 0);
});

t.test('a pod that has ended or is being deleted is not active', async (t) => {
  t.ok(isPodActive(aPod('p', { phase: 'Pending' })));
  for (const pod of [
    aPod('p', { phase: 'Failed' }),
    aPod('p', { phase: 'Succeeded' }),
    aPod('p', { deleted: true }),
  ])
    t.notOk(isPodActive(pod));
});

t.test('pod names begin with the owner and a dash, unless that is too long', async (t) => {
  t.equal(podNamePrefix('web'), 'web-');
  t.equal(podNamePrefix('x'.repeat(253)), 'x'.repeat(253));
});
