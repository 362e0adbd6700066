import t from 'tap';
import { findViolation, type Operation, type Recorded } from './store-linearizability.ts';
import { brokenPromises, type SeenEvent, type SeenResponse } from './store-watch-rules.ts';

/** The checkers must see what they are for: each case is a history that is, or is not, allowed. */

const at = (call: number, end: number, operation: Operation): Recorded => ({
  client: 0,
  call,
  return: end,
  operation,
});
const put = (value: string): Operation => ({ kind: 'put', value });
const get = (value: string | null): Operation => ({ kind: 'get', value });
/** Sent to a process that died at `end`, without an answer. */
const expiring = (call: number, end: number, operation: Operation): Recorded => ({
  ...at(call, Number.POSITIVE_INFINITY, operation),
  expires: end,
});
const never = Number.POSITIVE_INFINITY;

const histories: [string, boolean, Recorded[]][] = [
  ['a read of the last write', true, [at(0, 1, put('a')), at(2, 3, get('a'))]],
  ['a read of nothing after an acknowledged write', false, [at(0, 1, put('a')), at(2, 3, get(null))]],
  ['a stale read', false, [at(0, 1, put('a')), at(2, 3, put('b')), at(4, 5, get('a'))]],
  [
    'a read during a write sees the old value',
    true,
    [at(0, 1, put('a')), at(2, 9, put('b')), at(3, 4, get('a'))],
  ],
  ['new value, then the old one', false, [at(0, 9, put('a')), at(1, 2, get('a')), at(3, 4, get(null))]],
  [
    'a write of unknown outcome seen later',
    true,
    [at(0, never, put('a')), at(1, 2, get(null)), at(3, 4, get('a'))],
  ],
  ['a write of unknown outcome never seen', true, [at(0, never, put('a')), at(1, 2, get(null))]],
  [
    'a write of unknown outcome undone',
    false,
    [at(0, never, put('a')), at(1, 2, get('a')), at(3, 4, get(null))],
  ],
  [
    'a write cut off by a kill, seen after it',
    true,
    [expiring(0, 2, put('a')), at(3, 4, get('a')), at(5, 6, get('a'))],
  ],
  ['a write cut off by a kill, never seen', true, [expiring(0, 2, put('a')), at(3, 4, get(null))]],
  [
    'a write cut off by a kill that takes effect long after it',
    false,
    [expiring(0, 2, put('a')), at(3, 4, get(null)), at(5, 6, get('a'))],
  ],
  [
    'a write cut off by a kill that undoes an acknowledged one',
    false,
    [expiring(0, 2, put('a')), at(3, 4, put('b')), at(5, 6, get('a'))],
  ],
  [
    'of two writes cut off by one kill the first called is the last',
    true,
    [expiring(0, 3, put('a')), expiring(1, 3, put('b')), at(4, 5, get('a'))],
  ],
  [
    'two swaps from the same value both succeed',
    false,
    [
      at(0, 5, { kind: 'swap', from: null, value: 'a', succeeded: true }),
      at(1, 6, { kind: 'swap', from: null, value: 'b', succeeded: true }),
    ],
  ],
  ['deleting what is not there reports it', false, [at(0, 1, { kind: 'delete', deleted: true })]],
  ['concurrent writes in either order', true, [at(0, 5, put('a')), at(1, 6, put('b')), at(7, 8, get('a'))]],
];
for (const [title, allowed, history] of histories)
  t.test(`${allowed ? 'allowed' : 'refused'}: ${title}`, (t) => {
    t.equal(findViolation(history) === undefined, allowed);
    t.end();
  });

const event = (revision: number, change: Partial<SeenEvent> = {}): SeenEvent => ({
  revision,
  key: 'k',
  value: `v${revision}`,
  createRevision: 2,
  version: revision - 1,
  previous: undefined,
  ...change,
});
const response = (...events: SeenEvent[]): SeenResponse => ({
  headerRevision: events.at(-1)?.revision ?? 0,
  events,
  start: 1,
  progress: false,
});
const progress = (revision: number): SeenResponse => ({
  ...response(),
  headerRevision: revision,
  progress: true,
});

const watches: [string, RegExp | undefined, SeenResponse[]][] = [
  ['in order', undefined, [response(event(2), event(3)), response(event(4))]],
  ['out of order', /W1/, [response(event(3, { version: 1, createRevision: 3 })), response(event(2))]],
  ['twice', /W2/, [response(event(2)), response(event(2))]],
  ['one skipped', /W3/, [response(event(2)), response(event(4))]],
  ['a revision split over two responses', /W4/, [response(event(2)), response(event(2, { key: 'l' }))]],
  ['below the revision resumed from', /W5/, [{ ...response(event(2)), start: 3 }]],
  ['an event at or below a progress notification', /W6/, [progress(3), response(event(2))]],
  [
    'skipped, as the watch was told that they are compacted',
    undefined,
    [response(event(2)), { ...response(event(7, { previous: 'v6' }), event(8)), start: 5 }],
  ],
  [
    'skipped behind the revision up to which they are compacted',
    /W3/,
    [response(event(2)), { ...response(event(7), event(9)), start: 5 }],
  ],
  ['a wrong previous value', /W7/, [response(event(2)), response(event(3, { previous: 'x' }))]],
  ['a wrong create flag', /W7/, [response(event(2)), response(event(3, { createRevision: 3 }))]],
];
for (const [title, expected, responses] of watches)
  t.test(`events ${title}: ${expected ? 'refused' : 'allowed'}`, (t) => {
    const broken = brokenPromises(responses, []).join('\n');
    if (expected) t.match(broken, expected);
    else t.equal(broken, '');
    t.end();
  });

t.test('of acknowledged writes only compacted ones may be missing', (t) => {
  const written = [3, 4, 5, 6].map((revision) => ({ revision, key: 'l', value: 'x' }));
  const seen = [response(event(2)), { ...response(event(7)), start: 5 }];
  t.match(brokenPromises(seen, written).join('\n'), /^W3: .* of l at 5 .*\nW3: .* of l at 6 .*$/);
  t.end();
});

t.test('an acknowledged write that no watcher saw is refused', (t) => {
  t.match(brokenPromises([response(event(2))], [{ revision: 3, key: 'k', value: 'v3' }]).join(), /W3/);
  t.end();
});
