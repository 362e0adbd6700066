import fc from 'fast-check';
import { test } from 'tap';
import { encodeForStore } from './encoding.ts';
import { ResourceCache } from './resource-cache.ts';
import type { ChangeEvent } from './watch-event.ts';

const stored = (name: string, labels?: Record<string, string>): Buffer =>
  encodeForStore({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name, labels } });
const put = (key: string, revision: number) => ({ key, value: stored(key), revision });
const remove = (key: string, revision: number) => ({ key, value: undefined, revision });

function watcher() {
  const seen: string[] = [];
  return {
    seen,
    event: ({ type, entry }: ChangeEvent) => {
      seen.push(`${type} ${entry.key} ${entry.revision}`);
    },
    expired: () => {
      seen.push('expired');
    },
  };
}

test('lists are sorted by key and cut to one namespace', (t) => {
  const cache = new ResourceCache({ fieldsOf: () => ({}) });
  cache.reset([put('b/x', 1), put('a/y', 2), put('a/x', 3), put('a-b/x', 4)], 4);
  t.strictSame(
    cache.list().map((entry) => entry.key),
    ['a-b/x', 'a/x', 'a/y', 'b/x'],
  );
  t.strictSame(
    cache.list('a').map((entry) => entry.key),
    ['a/x', 'a/y'],
  );
  t.strictSame(cache.list('none'), []);
  t.end();
});

test('lists stay sorted through any changes', (t) => {
  const key = fc.constantFrom('a/x', 'a/y', 'a-b/x', 'b/x', 'b', 'é/x');
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.boolean()), { maxLength: 40 }), (steps) => {
      const cache = new ResourceCache({ fieldsOf: () => ({}) });
      const present = new Set(['a/y', 'b']);
      cache.reset([put('b', 1), put('a/y', 1)], 1);
      for (const [i, [name, there]] of steps.entries()) {
        cache.change(there ? put(name, i + 2) : remove(name, i + 2));
        if (there) present.add(name);
        else present.delete(name);
        t.strictSame(
          cache.list().map((entry) => entry.key),
          [...present].sort(),
        );
      }
    }),
    { numRuns: 50 },
  );
  t.end();
});

test('a subscription replays what it missed and goes on, each once', (t) => {
  const cache = new ResourceCache({ fieldsOf: () => ({}) });
  cache.reset([], 1);
  cache.change(put('a', 2));
  cache.change(put('b', 3));
  const late = watcher();
  cache.subscribe(late, 2);
  cache.change(put('b', 4));
  cache.change(remove('a', 5));
  t.strictSame(late.seen, ['ADDED b 3', 'MODIFIED b 4', 'DELETED a 5']);
  t.end();
});

test('history is forgotten, and what is forgotten cannot be replayed', (t) => {
  const cache = new ResourceCache({ fieldsOf: () => ({}), ringSize: 2 });
  cache.reset([], 1);
  t.ok(cache.canReplay(1));
  for (let revision = 2; revision <= 5; revision++) cache.change(put('a', revision));
  t.notOk(cache.canReplay(1));
  t.ok(cache.canReplay(cache.oldest));
  const late = watcher();
  cache.subscribe(late, cache.oldest);
  t.equal(late.seen.length, 2);
  t.end();
});

test('a reload ends all subscriptions', (t) => {
  const cache = new ResourceCache({ fieldsOf: () => ({}) });
  cache.reset([], 1);
  const old = watcher();
  cache.subscribe(old, 1);
  cache.reset([], 9);
  cache.change(put('a', 10));
  t.strictSame(old.seen, ['expired']);
  t.notOk(cache.canReplay(8));
  t.end();
});

test('a deleted object carries the revision of its deletion', (t) => {
  const cache = new ResourceCache({ fieldsOf: () => ({}) });
  cache.reset([put('a', 7)], 7);
  let last: ChangeEvent | undefined;
  cache.subscribe(
    {
      event: (event) => {
        last = event;
      },
      expired: () => {},
    },
    7,
  );
  cache.change(remove('a', 123));
  t.equal(last?.entry.parse().metadata?.resourceVersion, '123');
  t.equal(cache.get('a'), undefined);
  t.end();
});

test('unchangedSince knows whether an old list still holds', (t) => {
  const cache = new ResourceCache({ fieldsOf: () => ({}) });
  cache.reset([put('a', 3)], 5);
  t.ok(cache.unchangedSince(5));
  t.notOk(cache.unchangedSince(4), 'before the load nothing is known');
  cache.change(put('a', 8));
  t.notOk(cache.unchangedSince(7));
  t.ok(cache.unchangedSince(8));
  t.end();
});
