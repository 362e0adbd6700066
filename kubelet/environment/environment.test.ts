import t from 'tap';
import type { Container, Pod, Service } from '../../api/types/core-v1.ts';
import { ContainerConfigError } from './config-error.ts';
import { type EnvironmentInput, expandAll, resolveEnvironment } from './environment.ts';
import { expand } from './expand.ts';

const pod: Pod = {
  metadata: {
    name: 'p',
    namespace: 'n',
    uid: 'u',
    labels: { app: 'web', b: 'say "hi"' },
    annotations: { note: 'x' },
  },
  spec: { serviceAccountName: 'robot', containers: [{ name: 'other', resources: { limits: { cpu: '2' } } }] },
};

const service = (name: string, namespace: string, clusterIP: string): Service => ({
  metadata: { name, namespace },
  spec: {
    clusterIP,
    ports: [
      { name: 'http', port: 80, protocol: 'TCP' },
      { port: 53, protocol: 'UDP' },
    ],
  },
});

const services = [
  service('kubernetes', 'default', '10.96.0.1'),
  service('my-db', 'n', '10.96.0.9'),
  service('headless', 'n', 'None'),
  service('elsewhere', 'm', '10.96.0.8'),
];

const resolve = (container: Partial<Container>, more: Partial<EnvironmentInput> = {}) =>
  resolveEnvironment({
    pod,
    container: { name: 'c', ...container },
    objects: {
      configMap: (name) => (name === 'cm' ? { data: { key: 'value', other: '2' } } : undefined),
      secret: (name) =>
        name === 'sec' ? { data: { pass: Buffer.from('pä$$').toString('base64') } } : undefined,
    },
    services: [],
    facts: {
      nodeName: 'node-1',
      hostIP: '192.0.2.1',
      podIP: '10.0.0.7',
      allocatable: { milliCPU: 1500, memoryBytes: 2 ** 30, ephemeralStorageBytes: 2 ** 31 },
    },
    ...more,
  });

t.test('references between variables', async (t) => {
  const known: Record<string, string> = { A: '1', EMPTY: '' };
  const cases: [string, string][] = [
    ['plain', 'plain'],
    ['$(A)', '1'],
    ['x$(A)y$(A)', 'x1y1'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$(NOPE)', '$(NOPE)'],
    ['$(EMPTY)|', '|'],
    ['$A', '$A'],
    ['$(A', '$(A'],
    ['tail$', 'tail$'],
    ['$', '$'],
  ];
  for (const [text, expected] of cases)
    t.equal(
      expand(text, (name) => known[name]),
      expected,
      text,
    );
});

t.test('env goes before envFrom, and later variables see earlier ones', async (t) => {
  const environment = resolve({
    envFrom: [{ configMapRef: { name: 'cm' } }, { prefix: 'S_', secretRef: { name: 'sec' } }],
    env: [
      { name: 'key', value: 'mine' },
      { name: 'SUM', value: '$(key)-$(other)-$(LATER)' },
      { name: 'LATER', value: 'x' },
    ],
  });
  t.same(Object.fromEntries(environment), {
    key: 'mine',
    other: '2',
    S_pass: 'pä$$',
    SUM: 'mine-2-$(LATER)',
    LATER: 'x',
  });
});

t.test('every field of the downward API', async (t) => {
  const fields: [string, string][] = [
    ['metadata.name', 'p'],
    ['metadata.namespace', 'n'],
    ['metadata.uid', 'u'],
    ["metadata.labels['app']", 'web'],
    ["metadata.annotations['note']", 'x'],
    ["metadata.labels['none']", ''],
    ['metadata.labels', 'app="web"\nb="say \\"hi\\""'],
    ['spec.nodeName', 'node-1'],
    ['spec.serviceAccountName', 'robot'],
    ['status.hostIP', '192.0.2.1'],
    ['status.podIP', '10.0.0.7'],
    ['status.podIPs', '10.0.0.7'],
  ];
  for (const [fieldPath, expected] of fields)
    t.equal(
      resolve({ env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath } } }] }).get('X'),
      expected,
      fieldPath,
    );
  t.throws(
    () => resolve({ env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath: 'spec.magic' } } }] }),
    ContainerConfigError,
  );
});

t.test('resources, rounded up to the divisor', async (t) => {
  const resources = { requests: { memory: '10Mi' }, limits: { cpu: '250m', memory: '1500Ki' } };
  const value = (resource: string, divisor?: string, containerName?: string) =>
    resolve({
      resources,
      env: [{ name: 'X', valueFrom: { resourceFieldRef: { resource, divisor, containerName } } }],
    }).get('X');
  t.equal(value('limits.cpu'), '1');
  t.equal(value('limits.cpu', '1m'), '250');
  t.equal(value('limits.memory', '1Mi'), '2');
  t.equal(value('requests.memory'), String(10 * 2 ** 20));
  t.equal(value('requests.cpu', '1m'), '250', 'a limit stands for a request');
  t.equal(value('limits.ephemeral-storage'), String(2 ** 31), 'the node bounds what has no limit');
  t.equal(value('limits.cpu', '1', 'other'), '2');
  t.throws(() => value('limits.gpu'), ContainerConfigError);
});

t.test('what is missing is told in the kubelet’s words, unless it is optional', async (t) => {
  const key = (kind: 'configMapKeyRef' | 'secretKeyRef', name: string, key: string, optional?: boolean) => ({
    env: [{ name: 'X', valueFrom: { [kind]: { name, key, optional } } }],
  });
  t.throws(() => resolve(key('configMapKeyRef', 'gone', 'k')), { message: 'configmap "gone" not found' });
  t.throws(() => resolve(key('secretKeyRef', 'gone', 'k')), { message: 'secret "gone" not found' });
  t.throws(() => resolve(key('configMapKeyRef', 'cm', 'k')), {
    message: "couldn't find key k in ConfigMap n/cm",
  });
  t.throws(() => resolve(key('secretKeyRef', 'sec', 'k')), {
    message: "couldn't find key k in Secret n/sec",
  });
  t.throws(() => resolve({ envFrom: [{ secretRef: { name: 'gone' } }] }), {
    message: 'secret "gone" not found',
  });
  t.notOk(resolve(key('configMapKeyRef', 'gone', 'k', true)).has('X'));
  t.notOk(resolve(key('secretKeyRef', 'sec', 'k', true)).has('X'));
  t.equal(resolve({ envFrom: [{ configMapRef: { name: 'gone', optional: true } }] }).size, 0);
});

t.test('services of the namespace and kubernetes', async (t) => {
  const environment = Object.fromEntries(resolve({}, { services }));
  t.match(environment, {
    KUBERNETES_SERVICE_HOST: '10.96.0.1',
    KUBERNETES_SERVICE_PORT: '80',
    MY_DB_SERVICE_HOST: '10.96.0.9',
    MY_DB_SERVICE_PORT_HTTP: '80',
    MY_DB_PORT: 'tcp://10.96.0.9:80',
    MY_DB_PORT_53_UDP: 'udp://10.96.0.9:53',
    MY_DB_PORT_53_UDP_PROTO: 'udp',
    MY_DB_PORT_80_TCP_ADDR: '10.96.0.9',
  });
  t.notOk(Object.keys(environment).some((name) => /HEADLESS|ELSEWHERE/.test(name)));
  const without = resolve(
    {},
    { services, pod: { ...pod, spec: { containers: [], enableServiceLinks: false } } },
  );
  t.ok(without.has('KUBERNETES_SERVICE_HOST'));
  t.notOk(without.has('MY_DB_SERVICE_HOST'));
});

t.test('commands are expanded, and an absent one stays absent', async (t) => {
  const environment = new Map([['A', '1']]);
  t.same(expandAll(['echo', '$(A)'], environment), ['echo', '1']);
  t.equal(expandAll(undefined, environment), undefined);
  t.equal(expandAll([], environment), undefined);
});
