import t from 'tap';
import { deployment } from './deployment.ts';
import { replicaSet } from './replica-set.ts';
import { created, problems, row, statusUpdated, updated } from './test-support.ts';

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image: 'x:1' }] },
};
const spec = { selector: { matchLabels: { app: 'web' } }, template };

t.test('a deployment gets the defaults of Kubernetes', async (t) => {
  const object = created(deployment, { spec });
  t.match(object.spec, {
    replicas: 1,
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
  });
  t.equal(object.spec?.template?.spec?.enableServiceLinks, undefined, 'that is for pods only');
  t.equal(object.metadata?.generation, 1);
  t.same(created(deployment, { spec: { ...spec, strategy: { type: 'Recreate' } } }).spec?.strategy, {
    type: 'Recreate',
  });
});

const refused: [spec: object, errors: string[]][] = [
  [spec, []],
  [{ ...spec, selector: undefined }, ['spec.selector: Required value']],
  [{ ...spec, selector: {} }, ['spec.selector: Invalid value: {}: empty selector is invalid for deployment']],
  [
    { ...spec, selector: { matchLabels: { app: 'db' } } },
    [
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
  ],
  [
    { ...spec, selector: { matchExpressions: [{ key: 'app', operator: 'Is' }] } },
    [
      'spec.selector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator',
      'spec.selector: Invalid value: {"matchExpressions":[{"key":"app","operator":"Is"}]}: invalid label selector',
    ],
  ],
  [{ ...spec, replicas: -1 }, ['spec.replicas: Invalid value: -1: must be greater than or equal to 0']],
  [
    { ...spec, template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } },
    ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
  ],
  [{ ...spec, template: { metadata: template.metadata } }, ['spec.template.spec.containers: Required value']],
  [
    { ...spec, strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } },
    ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
  ],
  [
    { ...spec, strategy: { type: 'BlueGreen' } },
    ['spec.strategy.type: Unsupported value: "BlueGreen": supported values: "Recreate", "RollingUpdate"'],
  ],
  [
    { ...spec, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } },
    ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0'],
  ],
  [
    { ...spec, strategy: { rollingUpdate: { maxSurge: 'a', maxUnavailable: '110%' } } },
    [
      `spec.strategy.rollingUpdate.maxSurge: Invalid value: "a": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')`,
      'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "110%": must not be greater than 100%',
    ],
  ],
  [
    { ...spec, minReadySeconds: 600 },
    ['spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds'],
  ],
];

for (const [object, errors] of refused)
  t.test(`a deployment ${errors.length ? 'is refused' : 'is good'}: ${JSON.stringify(object)}`, async (t) => {
    t.same(problems(deployment, { spec: object }), errors);
  });

t.test('the generation counts changes of the spec and of annotations, not of the status', async (t) => {
  const before = created(deployment, { spec });
  const generation = (change: Parameters<typeof updated<typeof before>>[2]) =>
    updated(deployment, before, change).object.metadata?.generation;
  t.equal(
    generation((next) => {
      next.spec!.replicas = 5;
    }),
    2,
  );
  t.equal(
    generation((next) => {
      next.metadata!.annotations = { a: 'b' };
    }),
    2,
  );
  t.equal(
    generation((next) => {
      next.status = { replicas: 3 };
      next.metadata!.generation = 99;
    }),
    1,
  );
  const { object } = statusUpdated(deployment, before, (next) => {
    next.spec!.replicas = 9;
    next.status = { replicas: 1 };
  });
  t.equal(object.spec?.replicas, 1);
  t.same(object.status, { replicas: 1 });
});

t.test('the selector of a deployment and of a replica set is fixed', async (t) => {
  for (const kind of [deployment, replicaSet] as const) {
    const { problems: found } = updated(
      kind as typeof deployment,
      created(kind as typeof deployment, { spec }),
      (next) => {
        next.spec!.selector = { matchLabels: { app: 'web', b: 'c' } };
        next.spec!.template.metadata = { labels: { app: 'web', b: 'c' } };
      },
    );
    t.same(
      found,
      ['spec.selector: Invalid value: {"matchLabels":{"app":"web","b":"c"}}: field is immutable'],
      kind.kind,
    );
  }
});

t.test('counts in a status must make sense', async (t) => {
  const before = created(replicaSet, { spec });
  t.same(
    statusUpdated(replicaSet, before, (next) => {
      next.status = { replicas: 1, readyReplicas: 2, availableReplicas: 1 };
    }).problems,
    ['status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas'],
  );
});

t.test('scale reads and writes the replicas', async (t) => {
  const object = created(deployment, { spec });
  deployment.scale?.setSpecReplicas(object, 7);
  t.equal(deployment.scale?.specReplicas(object), 7);
  t.equal(deployment.scale?.statusReplicas(object), 0);
  t.equal(deployment.scale?.selector(object), 'app=web');
});

t.test('kubectl get shows how far it is', async (t) => {
  const object = {
    ...created(deployment, { spec: { ...spec, replicas: 3 } }),
    status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1 },
  };
  t.match(row(deployment, object), {
    Name: 'x',
    Ready: '2/3',
    'Up-to-date': 3,
    Available: 1,
    Containers: 'c',
    Images: 'x:1',
    Selector: 'app=web',
  });
  t.match(row(replicaSet, { ...created(replicaSet, { spec }), status: { replicas: 1, readyReplicas: 1 } }), {
    Desired: 1,
    Current: 1,
    Ready: 1,
  });
});
