import t from 'tap';
import { type OwnerState, planObject, withoutOwners } from './plan.ts';

const reference = (uid: string) => ({ apiVersion: 'v1', kind: 'Thing', name: uid, uid });
const owners = (states: OwnerState[]) =>
  states.map((state, i) => ({ reference: reference(`${state}-${i}`), state }));
const none = { any: false, waiting: false };

const cases: [string, OwnerState[], Parameters<typeof planObject>[0]['dependents'], string[], unknown][] = [
  ['no owners', [], none, [], { type: 'nothing' }],
  ['an owner that exists', ['solid'], none, [], { type: 'nothing' }],
  ['all owners gone', ['dangling', 'dangling'], none, [], { type: 'delete', propagation: 'Background' }],
  ['one of two gone', ['solid', 'dangling'], none, [], { type: 'dropOwners', uids: ['dangling-1'] }],
  [
    'one of two waits in the foreground',
    ['waiting', 'solid'],
    none,
    [],
    { type: 'dropOwners', uids: ['waiting-0'] },
  ],
  ['the owner waits', ['waiting'], none, [], { type: 'delete', propagation: 'Background', unblock: false }],
  [
    'the owner waits, and it has dependents itself',
    ['waiting'],
    { any: true, waiting: false },
    [],
    { type: 'delete', propagation: 'Foreground', unblock: false },
  ],
  [
    'two wait for each other',
    ['waiting'],
    { any: true, waiting: true },
    [],
    { type: 'delete', propagation: 'Foreground', unblock: true },
  ],
  ['it is to orphan its own', ['dangling'], none, ['orphan'], { type: 'delete', propagation: 'Orphan' }],
  [
    'it waits for its own',
    ['dangling'],
    none,
    ['foregroundDeletion'],
    { type: 'delete', propagation: 'Foreground' },
  ],
];

for (const [title, states, dependents, finalizers, expected] of cases)
  t.test(title, async (t) => {
    t.match(
      planObject({ object: { metadata: { finalizers } }, owners: owners(states), dependents }),
      expected as object,
    );
  });

t.test('references are dropped by uid, and only if they are there', async (t) => {
  const object = { metadata: { ownerReferences: [reference('a'), reference('b')] } };
  t.same(withoutOwners(object, ['a']), [reference('b')]);
  t.equal(withoutOwners(object, ['c']), undefined);
});
