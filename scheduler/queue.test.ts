import t from 'tap';
import type { Pod } from '../api/types/core-v1.ts';
import { Heap } from './heap.ts';
import { placementInfoOf, podInfoOf } from './pod-info.ts';
import { SchedulingQueue } from './queue.ts';

const pod = (uid: string, more: Pod['spec'] = { containers: [] }): Pod => ({
  metadata: { name: uid, namespace: 'default', uid },
  spec: more,
});

function queue() {
  const clock = { now: 0 };
  const made = new SchedulingQueue({ now: () => clock.now });
  const add = (item: Pod) => made.add(podInfoOf(item), placementInfoOf(item));
  const pop = () => made.pop()?.info.uid;
  return { queue: made, clock, add, pop };
}

const by = new Set(['NodeResourcesFit'] as const);

t.test('by priority, then by age', async (t) => {
  const { add, pop } = queue();
  add(pod('first'));
  add(pod('second'));
  add(pod('urgent', { containers: [], priority: 10 }));
  t.same([pop(), pop(), pop(), pop()], ['urgent', 'first', 'second', undefined]);
});

t.test('a rejected pod waits to be woken, and then for its back-off', async (t) => {
  const { queue: waiting, clock, add, pop } = queue();
  add(pod('a'));
  const item = waiting.pop()!;
  waiting.rejected(item, by);
  clock.now = 60_000;
  t.equal(pop(), undefined, 'time alone does not wake it');
  waiting.wake(item);
  t.equal(pop(), 'a', 'its back-off is long over');
  waiting.rejected(item, by);
  waiting.wake(item);
  t.equal(pop(), undefined);
  t.equal(waiting.nextBackOff, 2_000, 'twice as long after the second attempt');
  clock.now += 2_000;
  t.equal(pop(), 'a');
});

t.test('back-off doubles up to ten seconds', async (t) => {
  const { queue: waiting, clock, add } = queue();
  add(pod('a'));
  const waits: number[] = [];
  for (let i = 0; i < 6; i++) {
    waiting.failed(waiting.pop()!);
    waits.push(waiting.nextBackOff!);
    clock.now += waits.at(-1)!;
  }
  t.same(waits, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
});

t.test('a pod that nothing wakes is tried again after five minutes', async (t) => {
  const { queue: waiting, clock, add, pop } = queue();
  add(pod('a'));
  waiting.rejected(waiting.pop()!, by);
  clock.now = 299_000;
  waiting.flush();
  t.equal(pop(), undefined);
  clock.now = 301_000;
  waiting.flush();
  t.equal(pop(), 'a');
});

t.test('gates hold a pod until the last is gone', async (t) => {
  const { queue: waiting, add, pop } = queue();
  const gated = pod('a', { containers: [], schedulingGates: [{ name: 'x' }] });
  add(gated);
  t.equal(pop(), undefined);
  const update = (item: Pod) =>
    waiting.update(waiting.get('a')!, podInfoOf(item), placementInfoOf(item), true);
  update(gated);
  t.equal(pop(), undefined);
  update(pod('a'));
  t.equal(pop(), 'a');
});

t.test('an update wakes a rejected pod only if it matters', async (t) => {
  const { queue: waiting, clock, add, pop } = queue();
  add(pod('a'));
  const item = waiting.pop()!;
  waiting.rejected(item, by);
  clock.now = 60_000;
  const changed = pod('a', { containers: [], tolerations: [{ operator: 'Exists' }] });
  waiting.update(item, podInfoOf(changed), placementInfoOf(changed), false);
  t.equal(pop(), undefined);
  waiting.update(item, podInfoOf(changed), placementInfoOf(changed), true);
  t.equal(waiting.pop()?.info.tolerations.length, 1, 'with what is new in it');
});

t.test('a pod that is gone never comes', async (t) => {
  const { queue: waiting, clock, add, pop } = queue();
  for (const uid of ['active', 'resting', 'waiting']) add(pod(uid));
  const [first, second, third] = [waiting.pop()!, waiting.pop()!, waiting.pop()!];
  waiting.failed(second);
  waiting.rejected(third, by);
  add(pod('later'));
  for (const item of [first, second, third]) waiting.remove(item.info.uid);
  waiting.remove('later');
  waiting.wake(third);
  clock.now = 1e9;
  waiting.flush();
  t.equal(pop(), undefined);
  waiting.failed(first);
  t.equal(pop(), undefined, 'nor when its attempt ends afterwards');
});

t.test('the heap gives everything in order', async (t) => {
  const heap = new Heap<number>((a, b) => a < b);
  const numbers = Array.from({ length: 200 }, (_, i) => (i * 7919) % 211);
  for (const number of numbers) heap.push(number);
  const popped = numbers.map(() => heap.pop());
  t.same(
    popped,
    numbers.toSorted((a, b) => a - b),
  );
  t.equal(heap.pop(), undefined);
});
