import t from 'tap';
import { aPod, aReplicaSet, at } from '../testing/objects.ts';
import { burstReplicas, nextAvailable, planReplicas, planStatus, sameStatus } from './plan.ts';

const labels = { app: 'web' };
const podsNamed = (count: number) =>
  Array.from({ length: count }, (_, i) => aPod(`p${i}`, { node: 'n', labels }));

t.test('creates what is missing and no more than a burst at once', async (t) => {
  const plan = (replicas: number, count: number) =>
    planReplicas({ replicaSet: aReplicaSet('rs', replicas), pods: podsNamed(count), related: [] }, 0);
  t.same(plan(3, 1), { type: 'create', count: 2 });
  t.same(plan(2000, 0), { type: 'create', count: burstReplicas });
  t.equal(plan(2, 2), undefined);
});

t.test('deletes what is too much', async (t) => {
  const pods = podsNamed(4);
  const action = planReplicas({ replicaSet: aReplicaSet('rs', 1), pods, related: pods }, 0);
  t.equal(action?.type, 'delete');
  t.equal(action?.type === 'delete' && action.pods.length, 3);
});

t.test('does nothing for a ReplicaSet that is being deleted', async (t) => {
  const replicaSet = aReplicaSet('rs', 3, { metadata: { deletionTimestamp: at(1) } });
  t.equal(planReplicas({ replicaSet, pods: [], related: [] }, 0), undefined);
});

t.test('the status counts labels, readiness and availability', async (t) => {
  const replicaSet = aReplicaSet('rs', 3);
  replicaSet.spec!.minReadySeconds = 10;
  replicaSet.metadata!.generation = 7;
  const pods = [
    aPod('old', { labels, readySince: 80 }),
    aPod('fresh', { labels, readySince: 95 }),
    aPod('relabelled', { labels: { app: 'other' } }),
  ];
  t.match(planStatus(replicaSet, pods, { now: 100_000 }), {
    replicas: 3,
    fullyLabeledReplicas: 2,
    readyReplicas: 2,
    availableReplicas: 1,
    observedGeneration: 7,
  });
  t.equal(nextAvailable(pods, 10, 100_000), 5000, 'the fresh pod becomes available in five seconds');
  t.equal(nextAvailable(pods, 0, 100_000), undefined);
});

t.test('a failed creation is told by a condition until one succeeds', async (t) => {
  const replicaSet = aReplicaSet('rs', 1);
  const failed = planStatus(replicaSet, [], { now: 5000, failure: { missing: true, message: 'quota' } });
  t.same(failed.conditions, [
    {
      type: 'ReplicaFailure',
      status: 'True',
      reason: 'FailedCreate',
      message: 'quota',
      lastTransitionTime: at(5),
    },
  ]);
  const again = planStatus({ ...replicaSet, status: failed }, [], {
    now: 9000,
    failure: { missing: true, message: 'quota still' },
  });
  t.same(again.conditions, failed.conditions, 'the first failure stays');
  t.equal(planStatus({ ...replicaSet, status: failed }, [], { now: 9000 }).conditions, undefined);
  const deletion = planStatus(replicaSet, [], { now: 5000, failure: { missing: false, message: 'no' } });
  t.equal(deletion.conditions?.[0]?.reason, 'FailedDelete');
});

t.test('a status whose zeros the server left out is no change', async (t) => {
  t.ok(sameStatus({ replicas: 0, observedGeneration: 1 }, planStatus(aReplicaSet('rs', 0), [], { now: 0 })));
  t.notOk(sameStatus({ replicas: 0 }, planStatus(aReplicaSet('rs', 0), [], { now: 0 })));
});
