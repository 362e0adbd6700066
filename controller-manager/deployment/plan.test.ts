import t from 'tap';
import type { Deployment, ReplicaSet } from '../../api/types/apps-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { aDeployment, aPod, aReplicaSet, aTemplate, at } from '../testing/objects.ts';
import { revisionAnnotation } from './annotations.ts';
import { hashLabel } from './hash.ts';
import { type DeploymentPlan, findCurrent, planDeployment } from './plan.ts';
import { reasons } from './status.ts';

const plan = (
  deployment: Deployment,
  replicaSets: ReplicaSet[],
  options: { now?: number; pods?: ReadonlyMap<string, Pod[]> } = {},
): DeploymentPlan =>
  planDeployment({ deployment, replicaSets, pods: options.pods ?? new Map() }, options.now ?? 0);

/** `create new 3`, `update old 3>2`, `delete old`. */
const told = ({ actions }: DeploymentPlan) =>
  actions.map((action) => {
    const { replicaSet } = action;
    const name = replicaSet.metadata?.name?.replace(/^web-.*/, 'created');
    if (action.type === 'delete') return `delete ${name}`;
    const size = replicaSet.spec?.replicas;
    return action.type === 'create' ? `create ${name} ${size}` : `update ${name} ${action.from}>${size}`;
  });

const annotations = (revision: number, desired = 3, most = 4) => ({
  [revisionAnnotation]: String(revision),
  'deployment.kubernetes.io/desired-replicas': String(desired),
  'deployment.kubernetes.io/max-replicas': String(most),
});

const old = (name: string, replicas: number, available = replicas, revision = 1) =>
  aReplicaSet(name, replicas, {
    template: aTemplate(`${name}:0`),
    status: { replicas, readyReplicas: available, availableReplicas: available },
    metadata: { annotations: annotations(revision), creationTimestamp: at(revision) },
  });
const current = (replicas: number, available = replicas, revision = 2) =>
  aReplicaSet('current', replicas, {
    template: aTemplate('web:1', { app: 'web', [hashLabel]: 'abc' }),
    status: { replicas, readyReplicas: available, availableReplicas: available },
    metadata: { annotations: annotations(revision), creationTimestamp: at(revision) },
  });

t.test('a new Deployment gets one ReplicaSet with its hash everywhere', async (t) => {
  const result = plan(aDeployment({ minReadySeconds: 5 }), []);
  t.same(told(result), ['create created 3']);
  const created = result.actions[0]!.replicaSet;
  const hash = created.metadata?.labels?.[hashLabel];
  t.equal(created.metadata?.name, `web-${hash}`);
  t.match(created, {
    metadata: {
      namespace: 'ns',
      annotations: annotations(1),
      ownerReferences: [{ kind: 'Deployment', name: 'web', uid: 'uid-web', controller: true }],
    },
    spec: {
      minReadySeconds: 5,
      selector: { matchLabels: { app: 'web', [hashLabel]: hash } },
      template: { metadata: { labels: { app: 'web', [hashLabel]: hash } } },
    },
  });
  t.equal(result.revision, 1);
  t.match(result.status.conditions, [
    { type: 'Progressing', reason: reasons.created, message: `Created new replica set "web-${hash}"` },
    { type: 'Available', status: 'False' },
  ]);
});

t.test('the current ReplicaSet is the oldest with the template, whatever its hash label', async (t) => {
  const twin = {
    ...current(1),
    metadata: { ...current(1).metadata, name: 'twin', creationTimestamp: at(9) },
  };
  t.equal(findCurrent(aDeployment(), [twin, old('old', 1), current(1)])?.metadata?.name, 'current');
  t.equal(findCurrent(aDeployment({ template: aTemplate('web:2') }), [current(1)]), undefined);
});

t.test('steps of a rolling update', async (t) => {
  const strategy = (surge: number, unavailable: number) => ({
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable } },
  });
  const cases: [title: string, Deployment, ReplicaSet[], string[]][] = [
    ['starts within the surge', aDeployment(strategy(1, 0)), [old('old', 3)], ['create created 1']],
    [
      'takes what may be missing from the old ones in the same step',
      aDeployment(strategy(1, 1)),
      [old('old', 3)],
      ['create created 1', 'update old 3>2'],
    ],
    ['waits for the new pod', aDeployment(strategy(1, 0)), [old('old', 3), current(1, 0)], []],
    [
      'removes an old pod when a new one is available',
      aDeployment(strategy(1, 0)),
      [old('old', 3), current(1)],
      ['update old 3>2'],
    ],
    [
      'adds a new pod when an old one has gone',
      aDeployment(strategy(1, 0)),
      [old('old', 2), current(1)],
      ['update current 1>2'],
    ],
    [
      'removes old pods that do not run first, and all of them',
      aDeployment(strategy(1, 1)),
      [old('broken', 2, 0), old('old', 2, 2), current(0, 0)],
      ['update broken 2>0'],
    ],
    ['is at rest when done', aDeployment(strategy(1, 0)), [old('old', 0), current(3)], []],
  ];
  for (const [title, deployment, replicaSets, expected] of cases)
    t.same(told(plan(deployment, replicaSets)), expected, title);
});

t.test('Recreate starts nothing before the last old pod has ended', async (t) => {
  const deployment = aDeployment({ strategy: { type: 'Recreate' } });
  t.same(told(plan(deployment, [old('old', 3)])), ['update old 3>0']);
  const emptied = { ...old('old', 0), status: { replicas: 0, observedGeneration: 1 } };
  const uid = emptied.metadata?.uid ?? '';
  const dying = new Map([[uid, [aPod('p', { deleted: true })]]]);
  t.same(told(plan(deployment, [emptied], { pods: dying })), []);
  const ended = new Map([[uid, [aPod('p', { phase: 'Succeeded' })]]]);
  t.same(told(plan(deployment, [emptied], { pods: ended })), ['create created 3']);
  t.same(
    told(plan(deployment, [{ ...emptied, status: { replicas: 1 } }])),
    [],
    'the ReplicaSet still has pods',
  );
});

t.test('a rollback brings the earlier ReplicaSet back under a new revision', async (t) => {
  const deployment = aDeployment({}, { metadata: { annotations: { [revisionAnnotation]: '2' } } });
  const newer = old('newer', 3, 3, 2);
  const result = plan(deployment, [current(0, 0, 1), newer]);
  t.equal(result.revision, 3);
  t.same(told(result), ['update current 0>1']);
  t.match(result.actions[0]?.replicaSet.metadata?.annotations, {
    [revisionAnnotation]: '3',
    'deployment.kubernetes.io/revision-history': '1',
  });
});

t.test('a paused Deployment scales but does not roll', async (t) => {
  const paused = (spec: Partial<Deployment['spec']> = {}) => aDeployment({ paused: true, ...spec });
  const result = plan(paused(), [old('old', 3)]);
  t.same(told(result), []);
  t.match(result.status.conditions, [
    { type: 'Progressing', status: 'Unknown', reason: reasons.paused, message: 'Deployment is paused' },
    {},
  ]);
  t.same(told(plan(paused({ replicas: 5 }), [old('old', 3)])), ['update old 3>5']);
  const resumed = aDeployment({}, { status: { conditions: result.status.conditions! } });
  t.match(
    plan(resumed, [current(3)]).status.conditions?.find(({ type }) => type === 'Progressing'),
    {
      reason: reasons.complete,
    },
  );
});

t.test('scaling in the middle of a rollout is spread in proportion', async (t) => {
  const deployment = aDeployment({
    replicas: 15,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } },
  });
  const sized = (replicaSet: ReplicaSet, revision: number) => ({
    ...replicaSet,
    metadata: { ...replicaSet.metadata, annotations: annotations(revision, 10, 13) },
  });
  // The example of the documentation: ten replicas, surge 3, unavailable 2, scaled to fifteen.
  const result = plan(deployment, [sized(old('old', 8), 1), sized(current(5, 0), 2)]);
  t.same(told(result), ['update old 8>11', 'update current 5>7']);
  t.match(result.actions[0]?.replicaSet.metadata?.annotations, annotations(1, 15, 18));
});

t.test('scaling to zero empties every ReplicaSet', async (t) => {
  const deployment = aDeployment({ replicas: 0 });
  t.same(told(plan(deployment, [old('old', 2), current(2)])).sort(), [
    'update current 2>0',
    'update old 2>0',
  ]);
});

t.test('a finished rollout deletes the oldest empty ReplicaSets beyond the limit', async (t) => {
  const done = { replicas: 3, updatedReplicas: 3, availableReplicas: 3, observedGeneration: 1 };
  const deployment = aDeployment({ revisionHistoryLimit: 1 }, { status: done });
  const sets = [old('first', 0, 0, 1), old('second', 0, 0, 2), old('third', 0, 0, 3), current(3, 3, 4)];
  t.same(told(plan(deployment, sets)), ['delete first', 'delete second']);
  const unobserved = { ...old('first', 0, 0, 1), status: { replicas: 0, observedGeneration: 0 } };
  t.same(
    told(plan(deployment, [unobserved, ...sets.slice(1)])),
    ['delete second'],
    'one not seen empty stays',
  );
  const unlimited = { ...deployment, spec: { ...deployment.spec!, revisionHistoryLimit: undefined } };
  t.same(told(plan(unlimited, sets)), []);
});

t.test('a Deployment that is being deleted only reports', async (t) => {
  const deployment = aDeployment({}, { metadata: { deletionTimestamp: at(1) } });
  const result = plan(deployment, [old('old', 3)]);
  t.same(told(result), []);
  t.equal(result.status.replicas, 3);
});

t.test('time alone matters until the deadline', async (t) => {
  const created = plan(aDeployment(), [], { now: 0 });
  t.equal(created.again, 601_000);
  t.equal(plan(aDeployment({}, { status: { conditions: [] } }), [current(3)]).again, undefined);
});
