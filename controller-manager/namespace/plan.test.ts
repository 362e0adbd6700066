import t from 'tap';
import type { Namespace } from '../../api/types/core-v1.ts';
import { at } from '../testing/objects.ts';
import { type ContentReport, isEmpty, planConditions } from './plan.ts';

const report = (more: Partial<ContentReport> = {}): ContentReport => ({
  discoveryFailures: [],
  deletionFailures: [],
  remaining: new Map(),
  finalizers: new Map(),
  ...more,
});
const namespace = (conditions?: NonNullable<Namespace['status']>['conditions']): Namespace => ({
  metadata: { name: 'ns' },
  status: { phase: 'Terminating', ...(conditions && { conditions }) },
});
const find = (type: string, conditions: ReturnType<typeof planConditions>) =>
  conditions.find((condition) => condition.type === type);

t.test('what is left is named, with its finalizers', async (t) => {
  const left = report({
    remaining: new Map([
      ['pods.', 2],
      ['widgets.example.com', 1],
    ]),
    finalizers: new Map([['example.com/keep', 1]]),
  });
  const conditions = planConditions(namespace(), left, 5000);
  t.match(find('NamespaceContentRemaining', conditions), {
    status: 'True',
    reason: 'SomeResourcesRemain',
    message:
      'Some resources are remaining: pods. has 2 resource instances, widgets.example.com has 1 resource instances',
    lastTransitionTime: at(5),
  });
  t.match(find('NamespaceFinalizersRemaining', conditions), {
    status: 'True',
    reason: 'SomeFinalizersRemain',
    message:
      'Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances',
  });
  t.match(find('NamespaceDeletionContentFailure', conditions), { status: 'False', reason: 'ContentDeleted' });
  t.match(find('NamespaceDeletionDiscoveryFailure', conditions), {
    status: 'False',
    reason: 'ResourcesDiscovered',
  });
  t.notOk(isEmpty(left));
});

t.test('failures are told in a stable order', async (t) => {
  const failing = report({
    deletionFailures: ['b: refused', 'a: refused'],
    discoveryFailures: [{ groupVersion: 'example.com/v1', message: 'the server is down' }],
  });
  const conditions = planConditions(namespace(), failing, 0);
  t.match(find('NamespaceDeletionContentFailure', conditions), {
    reason: 'ContentDeletionFailed',
    message: 'Failed to delete all resource types, 2 remaining: a: refused, b: refused',
  });
  t.match(find('NamespaceDeletionDiscoveryFailure', conditions), {
    status: 'True',
    reason: 'DiscoveryFailed',
  });
  t.notOk(isEmpty(failing));
});

t.test('a pass that finds the same as before changes nothing', async (t) => {
  const left = report({ remaining: new Map([['pods.', 2]]) });
  const first = planConditions(namespace(), left, 5000);
  t.equal(planConditions(namespace(first), left, 9000), first);
  const second = planConditions(namespace(first), report({ remaining: new Map([['pods.', 1]]) }), 9000);
  t.equal(find('NamespaceContentRemaining', second)?.lastTransitionTime, at(5), 'still remaining');
  t.ok(isEmpty(report()));
});
