import { test } from 'tap';
import type { KubeObject } from '../../api/object.ts';
import type { DeleteOptions, ObjectMeta } from '../../api/types/meta-v1.ts';
import type { ApiError } from '../rest/api-error.ts';
import { planDeletion } from './deletion.ts';
import type { KindDeclaration } from './kind.ts';

const kind: KindDeclaration = {
  group: 'apps',
  version: 'v1',
  kind: 'Thing',
  plural: 'things',
  namespaced: true,
  singular: 'thing',
  listKind: 'ThingList',
  shortNames: [],
  categories: [],
  verbs: [],
  schema: '',
  columns: [],
};
const graceful: KindDeclaration = { ...kind, gracePeriodSeconds: (_object, requested) => requested ?? 30 };
const now = Date.parse('2026-01-01T00:00:00Z');

interface Case {
  title: string;
  kind?: KindDeclaration;
  metadata?: ObjectMeta;
  request?: DeleteOptions;
  expected: { action: string; metadata?: ObjectMeta };
}

const deleting = { deletionTimestamp: '2026-01-01T00:00:30Z', deletionGracePeriodSeconds: 30 };
const cases: Case[] = [
  { title: 'an ordinary object goes at once', expected: { action: 'remove' } },
  {
    title: 'a finalizer holds it',
    metadata: { finalizers: ['a'] },
    expected: {
      action: 'mark',
      metadata: {
        finalizers: ['a'],
        deletionTimestamp: '2026-01-01T00:00:00Z',
        deletionGracePeriodSeconds: 0,
      },
    },
  },
  {
    title: 'foreground deletion waits for dependents',
    request: { propagationPolicy: 'Foreground' },
    expected: {
      action: 'mark',
      metadata: { finalizers: ['foregroundDeletion'], deletionGracePeriodSeconds: 0 },
    },
  },
  {
    title: 'orphaning waits for the dependents to be let go',
    request: { propagationPolicy: 'Orphan' },
    expected: { action: 'mark', metadata: { finalizers: ['orphan'] } },
  },
  {
    title: 'background takes an earlier policy back',
    metadata: { finalizers: ['orphan'] },
    request: { propagationPolicy: 'Background' },
    expected: { action: 'remove' },
  },
  {
    title: 'a kind may orphan unless told otherwise',
    kind: { ...kind, defaultDeletionPropagation: 'orphan' },
    expected: { action: 'mark', metadata: { finalizers: ['orphan'] } },
  },
  {
    title: 'a grace period sets when it is due, and counts as a change of the spec',
    kind: graceful,
    metadata: { generation: 3 },
    expected: { action: 'mark', metadata: { ...deleting, generation: 4 } },
  },
  {
    title: 'no grace is at once',
    kind: graceful,
    request: { gracePeriodSeconds: 0 },
    expected: { action: 'remove' },
  },
  {
    title: 'a second deletion changes nothing',
    kind: graceful,
    metadata: { ...deleting },
    expected: { action: 'keep' },
  },
  {
    title: 'a shorter grace counts from the first deletion',
    kind: graceful,
    metadata: { ...deleting },
    request: { gracePeriodSeconds: 10 },
    expected: {
      action: 'mark',
      metadata: { deletionTimestamp: '2026-01-01T00:00:10Z', deletionGracePeriodSeconds: 10 },
    },
  },
  {
    title: 'a longer grace does not prolong it',
    kind: graceful,
    metadata: { ...deleting },
    request: { gracePeriodSeconds: 60 },
    expected: { action: 'keep' },
  },
  {
    title: 'the component confirms with grace 0',
    kind: graceful,
    metadata: { ...deleting },
    request: { gracePeriodSeconds: 0 },
    expected: { action: 'remove' },
  },
  {
    title: 'the component confirms, a finalizer still holds',
    kind: graceful,
    metadata: { ...deleting, finalizers: ['a'] },
    request: { gracePeriodSeconds: 0 },
    expected: { action: 'mark', metadata: { finalizers: ['a'], deletionGracePeriodSeconds: 0 } },
  },
];

for (const { title, kind: given = kind, metadata = {}, request = {}, expected } of cases)
  test(title, (t) => {
    const object: KubeObject = { metadata: { name: 'x', uid: 'u', resourceVersion: '7', ...metadata } };
    const plan = planDeletion({ kind: given, object, request, now });
    t.equal(plan.action, expected.action);
    if (expected.metadata && plan.action === 'mark') t.match(plan.object.metadata, expected.metadata);
    t.end();
  });

for (const preconditions of [{ uid: 'other' }, { resourceVersion: '6' }])
  test(`the precondition ${JSON.stringify(preconditions)} does not hold`, (t) => {
    const object: KubeObject = { metadata: { name: 'x', uid: 'u', resourceVersion: '7' } };
    try {
      planDeletion({ kind, object, request: { preconditions }, now });
      t.fail('must throw');
    } catch (error) {
      t.equal((error as ApiError).status.code, 409);
    }
    t.end();
  });
