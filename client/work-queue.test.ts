import t from 'tap';
import { runWorkers, WorkQueue } from './work-queue.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

t.test('a key added twice is handed out once', async (t) => {
  const queue = new WorkQueue();
  queue.add('a');
  queue.add('a');
  queue.add('b');
  t.equal(await queue.get(), 'a');
  t.equal(await queue.get(), 'b');
  t.equal(queue.length, 0);
});

t.test('a key added while it is worked on is handed out again, but not before it is done', async (t) => {
  const queue = new WorkQueue();
  queue.add('a');
  t.equal(await queue.get(), 'a');
  queue.add('a');
  t.equal(queue.length, 0);
  queue.done('a');
  t.equal(queue.length, 1);
  t.equal(await queue.get(), 'a');
});

t.test('a worker that waits is given the key at once', async (t) => {
  const queue = new WorkQueue();
  const waiting = queue.get();
  queue.add('a');
  queue.add('a');
  t.equal(await waiting, 'a');
  t.equal(queue.length, 0, 'the second add waits for done');
  queue.done('a');
  t.equal(await queue.get(), 'a');
});

t.test('shutting down ends waiting workers and lets queued keys finish', async (t) => {
  const queue = new WorkQueue();
  queue.add('a');
  queue.shutDown();
  queue.add('b');
  t.equal(await queue.get(), 'a');
  t.equal(await queue.get(), undefined);
});

t.test('addAfter keeps the earlier of two times', async (t) => {
  const queue = new WorkQueue();
  queue.addAfter('a', 3_600_000);
  queue.addAfter('a', 1);
  queue.addAfter('a', 3_600_000);
  t.equal(await queue.get(), 'a');
  queue.done('a');
  queue.shutDown();
  t.equal(await queue.get(), undefined, 'no timer is left behind');
});

t.test('failures are tried again until they succeed, never twice at once', async (t) => {
  const queue = new WorkQueue({ rateLimit: { base: 1, longest: 2 } });
  const calls: string[] = [];
  const running = new Set<string>();
  const succeeded = new Set<string>();
  const done = runWorkers({
    queue,
    count: 4,
    log: quiet,
    sync: async (key) => {
      t.notOk(running.has(key), 'one worker a key');
      running.add(key);
      await new Promise(setImmediate);
      running.delete(key);
      calls.push(key);
      if (calls.filter((call) => call === key).length < 3) throw new Error('not yet');
      succeeded.add(key);
      if (succeeded.size === 2) queue.shutDown();
    },
  });
  queue.add('a');
  queue.add('b');
  await done;
  t.strictSame(calls.toSorted(), ['a', 'a', 'a', 'b', 'b', 'b']);
  t.equal(queue.requeues('a'), 0, 'success forgets the failures');
});
