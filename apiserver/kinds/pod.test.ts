import t from 'tap';
import type { KubeObject } from '../../api/object.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { pod } from './pod.ts';
import { imageTag } from './pod-defaults.ts';
import { qosClass } from './pod-qos.ts';

const context = { now: 0, newUID: () => 'u', user: { name: 'x', groups: [] } };

/** A pod as it stands after creation, with changes to its spec. */
function made(spec: Partial<NonNullable<Pod['spec']>> = {}, metadata: Pod['metadata'] = {}): Pod {
  const object: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', ...metadata },
    spec: { containers: [{ name: 'c', image: 'busybox:1.36' }], ...spec },
  };
  pod.defaults?.(object);
  pod.prepareForCreate?.(object, context);
  return object;
}

const texts = (object: Pod): string[] =>
  pod.validate!(object).map(({ field, message }) => `${field}: ${message}`);

t.test('a minimal pod gets the defaults of Kubernetes and its first status', async (t) => {
  t.same(made(), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', generation: 1 },
    spec: {
      containers: [
        {
          name: 'c',
          image: 'busybox:1.36',
          imagePullPolicy: 'IfNotPresent',
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          resources: {},
        },
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      securityContext: {},
      schedulerName: 'default-scheduler',
      enableServiceLinks: true,
    },
    status: { phase: 'Pending', qosClass: 'BestEffort' },
  });
  t.same(texts(made()), []);
});

t.test('probes, ports, references and volumes get their defaults', async (t) => {
  const { spec } = made({
    hostNetwork: true,
    serviceAccount: 'robot',
    containers: [
      {
        name: 'c',
        image: 'x',
        ports: [{ containerPort: 80 }],
        resources: { limits: { cpu: '1' }, requests: { memory: '1Gi' } },
        livenessProbe: { httpGet: { port: 80 } },
        env: [
          { name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'B', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
        ],
      },
    ],
    volumes: [
      { name: 'a' },
      { name: 'b', configMap: { name: 'm' } },
      { name: 'c', hostPath: { path: '/x' } },
      { name: 'd', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } },
    ],
  });
  const container = spec!.containers[0]!;
  t.equal(container.imagePullPolicy, 'Always', 'an image without a tag is latest');
  t.same(container.ports, [{ containerPort: 80, protocol: 'TCP', hostPort: 80 }]);
  t.same(container.resources, { limits: { cpu: '1' }, requests: { memory: '1Gi', cpu: '1' } });
  t.same(container.livenessProbe, {
    httpGet: { port: 80, path: '/', scheme: 'HTTP' },
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  t.same(
    container.env?.map((item) => item.valueFrom),
    [
      { fieldRef: { fieldPath: 'metadata.name', apiVersion: 'v1' } },
      { resourceFieldRef: { resource: 'limits.cpu', divisor: '0' } },
    ],
  );
  t.equal(spec!.serviceAccountName, 'robot');
  t.same(spec!.volumes, [
    { name: 'a', emptyDir: {} },
    { name: 'b', configMap: { name: 'm', defaultMode: 420 } },
    { name: 'c', hostPath: { path: '/x', type: '' } },
    {
      name: 'd',
      projected: {
        sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 3600 } }],
        defaultMode: 420,
      },
    },
  ]);
});

const tags: [image: string, tag: string][] = [
  ['busybox', 'latest'],
  ['busybox:1', '1'],
  ['registry:5000/a/b', 'latest'],
  ['registry:5000/a/b:v2', 'v2'],
  ['busybox@sha256:00', ''],
  ['busybox:1@sha256:00', '1'],
  ['', ''],
];
for (const [image, tag] of tags)
  t.test(`the tag of "${image}" is "${tag}"`, async (t) => {
    t.equal(imageTag(image), tag);
  });

const classes: [limits: string[], requests: string[], qos: string][] = [
  [[], [], 'BestEffort'],
  [['cpu', 'memory'], ['cpu', 'memory'], 'Guaranteed'],
  [['cpu'], ['cpu'], 'Burstable'],
  [[], ['cpu'], 'Burstable'],
  [['cpu', 'memory'], [], 'Burstable'],
];
for (const [limits, requests, qos] of classes)
  t.test(`limits of ${limits} and requests of ${requests} make a pod ${qos}`, async (t) => {
    const amounts = (names: string[]) => Object.fromEntries(names.map((name) => [name, '1']));
    t.equal(
      qosClass({
        containers: [{ name: 'c', resources: { limits: amounts(limits), requests: amounts(requests) } }],
      }),
      qos,
    );
  });

type Spec = Partial<NonNullable<Pod['spec']>>;
const label = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`;
const c = { name: 'c', image: 'x:1' };

const invalidSpecs: [spec: Spec, errors: string[]][] = [
  [{ containers: [] }, ['spec.containers: Required value']],
  [{ containers: [{ name: 'c' }] }, ['spec.containers[0].image: Required value']],
  [{ containers: [{ ...c, name: 'C_1' }] }, [`spec.containers[0].name: Invalid value: "C_1": ${label}`]],
  [{ containers: [c, c] }, ['spec.containers[1].name: Duplicate value: "c"']],
  [
    { containers: [{ ...c, image: ' x' }] },
    ['spec.containers[0].image: Invalid value: " x": must not have leading or trailing whitespace'],
  ],
  [
    { containers: [{ ...c, imagePullPolicy: 'Sometimes' }] },
    [
      'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
    ],
  ],
  [
    { containers: [{ ...c, ports: [{ containerPort: 70000 }] }] },
    [
      'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
    ],
  ],
  [
    { containers: [{ ...c, ports: [{ containerPort: 80, protocol: 'ICMP' }] }] },
    [
      'spec.containers[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
    ],
  ],
  [
    {
      containers: [
        {
          ...c,
          ports: [
            { containerPort: 1, hostPort: 9 },
            { containerPort: 2, hostPort: 9 },
          ],
        },
      ],
    },
    ['spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//9"'],
  ],
  [
    { containers: [{ ...c, volumeMounts: [{ name: 'v', mountPath: '/v' }] }] },
    ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
  ],
  [
    {
      containers: [
        {
          ...c,
          volumeMounts: [
            { name: 'v', mountPath: '/v' },
            { name: 'v', mountPath: '/v' },
          ],
        },
      ],
      volumes: [{ name: 'v', emptyDir: {} }],
    },
    ['spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/v": must be unique'],
  ],
  [
    { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
    ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
  ],
  [{ volumes: [{ name: 'v', secret: {} }] }, ['spec.volumes[0].secret.secretName: Required value']],
  [
    { containers: [{ ...c, env: [{ name: 'A=B', value: '1' }] }] },
    [
      `spec.containers[0].env[0].name: Invalid value: "A=B": a valid environment variable name must consist only of printable ASCII characters other than '=' (regex used for validation is '^[ -<>-~]+$')`,
    ],
  ],
  [
    {
      containers: [
        { ...c, env: [{ name: 'A', value: '1', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] },
      ],
    },
    [
      'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
    ],
  ],
  [
    { containers: [{ ...c, env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'status.phase' } } }] }] },
    [
      'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
    ],
  ],
  [
    { containers: [{ ...c, resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } }] },
    [
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
  ],
  [
    { containers: [{ ...c, resources: { requests: { memory: '-1' } } }] },
    [
      'spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0',
    ],
  ],
  [
    { containers: [{ ...c, resources: { limits: { disk: '1' } } }] },
    [
      'spec.containers[0].resources.limits[disk]: Invalid value: "disk": must be a standard resource type or fully qualified',
      'spec.containers[0].resources.limits[disk]: Invalid value: "disk": must be a standard resource for containers',
      'spec.containers[0].resources.requests[disk]: Invalid value: "disk": must be a standard resource type or fully qualified',
      'spec.containers[0].resources.requests[disk]: Invalid value: "disk": must be a standard resource for containers',
    ],
  ],
  [
    { containers: [{ ...c, livenessProbe: { successThreshold: 2 } }] },
    [
      'spec.containers[0].livenessProbe: Required value: must specify a handler type',
      'spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1',
    ],
  ],
  [
    { containers: [{ ...c, readinessProbe: { exec: { command: ['a'] }, tcpSocket: { port: 1 } } }] },
    ['spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type'],
  ],
  [
    { initContainers: [{ ...c, name: 'i', livenessProbe: { exec: { command: ['a'] } } }] },
    [
      'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
    ],
  ],
  [
    { restartPolicy: 'Sometimes' },
    ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
  ],
  [
    { dnsPolicy: 'None' },
    ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None'],
  ],
  [
    { tolerations: [{ operator: 'Equal', value: 'x' }] },
    [
      'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    ],
  ],
  [{ hostname: 'a.b' }, ['spec.hostname: Invalid value: "a.b": must not contain dots']],
  [
    { activeDeadlineSeconds: 0 },
    ['spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive'],
  ],
];

for (const [spec, errors] of invalidSpecs)
  t.test(`a pod is refused: ${JSON.stringify(spec)}`, async (t) => {
    t.same(texts(made(spec)), errors);
  });

const invalidMetadata: [metadata: NonNullable<Pod['metadata']>, errors: RegExp[]][] = [
  [{ name: 'Web' }, [/^metadata\.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist/]],
  [{ name: '' }, [/^metadata\.name: Required value: name or generateName is required$/]],
  [{ labels: { 'a b': 'x' } }, [/^metadata\.labels: Invalid value: "a b": name part must consist/]],
  [
    { labels: { a: 'x y' } },
    [/^metadata\.labels: Invalid value: "x y": a valid label must be an empty string/],
  ],
  [
    { annotations: { a: 'x'.repeat(262_144) } },
    [/^metadata\.annotations: Too long: may not be more than 262144 bytes$/],
  ],
  [
    { finalizers: ['mine'] },
    [
      /^metadata\.finalizers\[0\]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified$/,
    ],
  ],
  [
    { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: '' }] },
    [/^metadata\.ownerReferences\[0\]\.uid: Invalid value: "": uid must not be empty$/],
  ],
];

for (const [metadata, errors] of invalidMetadata)
  t.test(`metadata is refused: ${JSON.stringify(metadata).slice(0, 80)}`, async (t) => {
    const found = texts(made({}, metadata));
    t.equal(found.length, errors.length, found.join('\n'));
    for (const [index, pattern] of errors.entries()) t.match(found[index], pattern);
  });

function updated(change: (next: Pod) => void, before: Pod = made()): string[] {
  const next = structuredClone(before);
  change(next);
  pod.prepareForUpdate?.(next, before, context);
  return pod.validateUpdate!(next, before).map(({ field, message }) => `${field}: ${message}`);
}

t.test('of a pod that exists the image, tolerations and metadata may change', async (t) => {
  t.same(
    updated((next) => {
      next.spec!.containers[0]!.image = 'other:2';
      next.spec!.tolerations = [{ key: 'a', operator: 'Exists' }];
      next.metadata!.labels = { a: 'b' };
      next.spec!.activeDeadlineSeconds = 5;
    }),
    [],
  );
});

t.test('anything else of a pod that exists may not change, and the answer says what did', async (t) => {
  const [error, ...rest] = updated((next) => {
    next.spec!.containers[0]!.command = ['x'];
  });
  t.same(rest, []);
  t.match(
    error,
    'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n',
  );
  t.match(error, '+ spec.containers[0].command: ["x"]');
  t.same(
    updated((next) => {
      next.spec!.containers.push({ name: 'd', image: 'x' });
    }),
    ['spec.containers: Forbidden: pod updates may not add or remove containers'],
  );
  t.same(
    updated((next) => {
      next.metadata!.uid = 'other';
    }),
    ['metadata.uid: Invalid value: "other": field is immutable'],
  );
});

t.test('an update keeps the status and counts changes of the spec', async (t) => {
  const before = made();
  const next = structuredClone(before);
  next.status = { phase: 'Running' };
  next.spec!.containers[0]!.image = 'other:2';
  pod.prepareForUpdate?.(next, before, context);
  t.same(next.status, before.status);
  t.equal(next.metadata?.generation, 2);
});

t.test('a container that ended for good may not come back through the status', async (t) => {
  const status = (state: object) =>
    ({ name: 'c', image: '', imageID: '', ready: false, restartCount: 0, state }) as never;
  const before = made({ restartPolicy: 'Never' });
  before.status!.containerStatuses = [status({ terminated: { exitCode: 0 } })];
  const next = structuredClone(before);
  next.status!.containerStatuses = [status({ running: {} })];
  pod.status?.prepareForUpdate?.(next, before, context);
  t.same(
    pod.status!.validateUpdate!(next, before).map(({ field, message }) => `${field}: ${message}`),
    ['status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state'],
  );
});

t.test('a pod that runs nowhere or no longer is deleted at once', async (t) => {
  const grace = (object: Pod, requested?: number) => pod.gracePeriodSeconds!(object, requested);
  const running = made({ nodeName: 'n' });
  t.equal(grace(made()), 0);
  t.equal(grace(running), 30);
  t.equal(grace(running, 5), 5);
  t.equal(grace(running, -1), 1);
  t.equal(grace({ ...running, status: { phase: 'Succeeded' } }), 0);
});

type Status = NonNullable<Pod['status']>;
const running = (name: string, rest: object = {}) =>
  ({ name, ready: true, restartCount: 0, image: '', imageID: '', state: { running: {} }, ...rest }) as never;
const ended = (name: string, terminated: object, rest: object = {}) =>
  ({ name, ready: false, restartCount: 0, image: '', imageID: '', state: { terminated }, ...rest }) as never;
const waiting = (name: string, reason: string, rest: object = {}) =>
  ({
    name,
    ready: false,
    restartCount: 0,
    image: '',
    imageID: '',
    state: { waiting: { reason } },
    ...rest,
  }) as never;
const now = Date.parse('2024-01-01T00:10:00Z');
const two = { containers: [{ name: 'a' }, { name: 'b' }] };
const withInit = { ...two, initContainers: [{ name: 'i' }, { name: 'j' }] };

const rows: [title: string, pod: { spec?: Spec; status?: Status; metadata?: object }, cells: string[]][] = [
  ['a pod that nothing is known of', { status: { phase: 'Pending' } }, ['0/2', 'Pending', '0']],
  [
    'a running pod',
    { status: { phase: 'Running', containerStatuses: [running('a'), running('b')] } },
    ['2/2', 'Running', '0'],
  ],
  [
    'a pod that is being made',
    {
      status: {
        phase: 'Pending',
        containerStatuses: [waiting('a', 'ContainerCreating'), waiting('b', 'ContainerCreating')],
      },
    },
    ['0/2', 'ContainerCreating', '0'],
  ],
  [
    'a pod with a container that keeps crashing',
    {
      status: {
        phase: 'Running',
        containerStatuses: [
          running('a'),
          waiting('b', 'CrashLoopBackOff', {
            restartCount: 3,
            lastState: { terminated: { exitCode: 1, finishedAt: '2024-01-01T00:09:55Z' } },
          }),
        ],
      },
    },
    ['1/2', 'CrashLoopBackOff', '3 (5s ago)'],
  ],
  [
    'a pod that is done',
    {
      status: {
        phase: 'Succeeded',
        containerStatuses: [
          ended('a', { exitCode: 0, reason: 'Completed' }),
          ended('b', { exitCode: 0, reason: 'Completed' }),
        ],
      },
    },
    ['0/2', 'Completed', '0'],
  ],
  [
    'a pod of which one container is done and the other runs, ready',
    {
      status: {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True' }],
        containerStatuses: [ended('a', { exitCode: 0, reason: 'Completed' }), running('b')],
      },
    },
    ['1/2', 'Running', '0'],
  ],
  [
    'a container that was killed without a reason',
    {
      status: {
        phase: 'Running',
        containerStatuses: [ended('a', { exitCode: 137, signal: 9 }), running('b')],
      },
    },
    ['1/2', 'Signal:9', '0'],
  ],
  [
    'a container that failed without a reason',
    { status: { phase: 'Running', containerStatuses: [ended('a', { exitCode: 3 }), running('b')] } },
    ['1/2', 'ExitCode:3', '0'],
  ],
  [
    'a pod whose first init container runs',
    {
      spec: withInit,
      status: {
        phase: 'Pending',
        initContainerStatuses: [running('i', { ready: false }), waiting('j', 'PodInitializing')],
      },
    },
    ['0/2', 'Init:0/2', '0'],
  ],
  [
    'a pod whose second init container fails',
    {
      spec: withInit,
      status: {
        phase: 'Pending',
        initContainerStatuses: [
          ended('i', { exitCode: 0 }),
          ended('j', { exitCode: 1, reason: 'Error' }, { restartCount: 2 }),
        ],
      },
    },
    ['0/2', 'Init:Error', '2'],
  ],
  [
    'a pod whose init container backs off',
    {
      spec: withInit,
      status: { phase: 'Pending', initContainerStatuses: [waiting('i', 'CrashLoopBackOff')] },
    },
    ['0/2', 'Init:CrashLoopBackOff', '0'],
  ],
  [
    'a pod with a sidecar',
    {
      spec: { ...two, initContainers: [{ name: 's', restartPolicy: 'Always' }] },
      status: {
        phase: 'Running',
        initContainerStatuses: [running('s', { started: true, restartCount: 1 })],
        containerStatuses: [running('a'), running('b')],
      },
    },
    ['3/3', 'Running', '1'],
  ],
  [
    'a pod that is being deleted',
    {
      metadata: { deletionTimestamp: '2024-01-01T00:09:00Z' },
      status: { phase: 'Running', containerStatuses: [running('a'), running('b')] },
    },
    ['2/2', 'Terminating', '0'],
  ],
  [
    'a pod on a lost node',
    {
      metadata: { deletionTimestamp: '2024-01-01T00:09:00Z' },
      status: { phase: 'Running', reason: 'NodeLost' },
    },
    ['0/2', 'Unknown', '0'],
  ],
  ['an evicted pod', { status: { phase: 'Failed', reason: 'Evicted' } }, ['0/2', 'Evicted', '0']],
  [
    'a gated pod',
    {
      status: {
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
      },
    },
    ['0/2', 'SchedulingGated', '0'],
  ],
];

for (const [title, parts, cells] of rows)
  t.test(`kubectl get shows ${title}`, async (t) => {
    const object = { metadata: { name: 'p' }, spec: two, ...parts } as Pod;
    t.same(
      pod.columns.slice(1, 4).map((column) => column.value(object, now)),
      cells,
    );
  });

t.test('kubectl get -o wide shows address, node, nominated node and readiness gates', async (t) => {
  const bare = { metadata: { name: 'p', creationTimestamp: '2024-01-01T00:00:00Z' }, spec: two } as Pod;
  const full = {
    ...bare,
    spec: { ...two, nodeName: 'n', readinessGates: [{ conditionType: 'x/a' }, { conditionType: 'x/b' }] },
    status: { podIP: '10.0.0.1', nominatedNodeName: 'm', conditions: [{ type: 'x/a', status: 'True' }] },
  } as Pod;
  const cells = (object: Pod) => pod.columns.slice(4).map((column) => column.value(object, now));
  t.same(cells(bare), ['10m', '<none>', '<none>', '<none>', '<none>']);
  t.same(cells(full), ['10m', '10.0.0.1', 'n', 'm', '1/2']);
  t.same(
    pod.columns.map((column: { name: string }) => column.name),
    ['Name', 'Ready', 'Status', 'Restarts', 'Age', 'IP', 'Node', 'Nominated Node', 'Readiness Gates'],
  );
  t.equal(pod.selectableFields?.['spec.nodeName']?.(full), 'n');
  t.equal((full as KubeObject).metadata?.name, 'p');
});
