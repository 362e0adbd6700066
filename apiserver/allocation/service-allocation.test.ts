import { test } from 'tap';
import { startApiFixture } from '../testing/api-fixture.ts';
import { planRepair } from './repair.ts';

const api = await startApiFixture([
  '--service-cluster-ip-range=10.50.0.0/26',
  '--service-node-port-range=31000-31030',
]);
const services = '/api/v1/namespaces/default/services';

interface Service {
  metadata: { name: string };
  message: string;
  spec: {
    type: string;
    clusterIP?: string;
    clusterIPs?: string[];
    ipFamilies?: string[];
    ports: { name?: string; port: number; protocol?: string; nodePort?: number }[];
  };
}
const service = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { ports: [{ port: 80 }], ...spec },
});
const create = (name: string, spec?: object) =>
  api.call<Service>({ method: 'POST', path: services, body: service(name, spec) });
const patch = (name: string, body: object) =>
  api.call<Service>({
    method: 'PATCH',
    path: `${services}/${name}`,
    body,
    contentType: 'application/merge-patch+json',
  });
const remove = (name: string) => api.call({ method: 'DELETE', path: `${services}/${name}` });

test('services created at once get different addresses and node ports', async (t) => {
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, i) => create(`many-${i}`, { type: 'NodePort' })),
  );
  t.strictSame([...new Set(answers.map((answer) => answer.code))], [201]);
  t.equal(new Set(answers.map((answer) => answer.body.spec.clusterIP)).size, 30);
  t.equal(new Set(answers.map((answer) => answer.body.spec.ports[0]?.nodePort)).size, 30);
  await Promise.all(answers.map((answer) => remove(answer.body.metadata.name)));
});

test('a full range is an error that says so', async (t) => {
  const answers = await Promise.all(Array.from({ length: 62 }, (_, i) => create(`full-${i}`)));
  const refused = answers.filter((answer) => answer.code !== 201);
  t.equal(refused.length, 1, '62 addresses, one of them of the kubernetes service');
  t.match(refused[0]?.body.message, /range is full/);
  await Promise.all(
    answers.filter((answer) => answer.code === 201).map((answer) => remove(answer.body.metadata.name)),
  );
});

test('a chosen address is given if it is free and in range', async (t) => {
  const chosen = await create('chosen', { clusterIP: '10.50.0.9' });
  t.match(chosen.body.spec, { clusterIP: '10.50.0.9', clusterIPs: ['10.50.0.9'], ipFamilies: ['IPv4'] });
  const taken = await create('taken', { clusterIP: '10.50.0.9' });
  t.equal(taken.code, 422);
  t.equal(
    taken.body.message,
    'Service "taken" is invalid: spec.clusterIPs: Invalid value: ["10.50.0.9"]: failed to allocate IP 10.50.0.9: provided IP is already allocated',
  );
  const outside = await create('outside', { clusterIP: '10.51.0.9' });
  t.match(
    outside.body.message,
    /the provided IP \(10\.51\.0\.9\) is not in the valid range\. The range of valid IPs is 10\.50\.0\.0\/26$/,
  );
  await remove('chosen');
  t.equal((await create('next', { clusterIP: '10.50.0.9' })).code, 201, 'free again after the deletion');
  await remove('next');
});

test('a chosen node port is given if it is free and in range', async (t) => {
  const ports = (nodePort: number) => ({ type: 'NodePort', ports: [{ port: 80, nodePort }] });
  t.equal((await create('np', ports(31_005))).code, 201);
  t.equal(
    (await create('np2', ports(31_005))).body.message,
    'Service "np2" is invalid: spec.ports[0].nodePort: Invalid value: 31005: provided port is already allocated',
  );
  t.equal(
    (await create('np3', ports(80))).body.message,
    'Service "np3" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 31000-31030',
  );
  await remove('np');
});

test('changing the type takes and gives back node ports and keeps the address', async (t) => {
  const first = await create('change');
  const opened = await patch('change', { spec: { type: 'NodePort' } });
  t.equal(opened.body.spec.clusterIP, first.body.spec.clusterIP);
  const nodePort = opened.body.spec.ports[0]?.nodePort;
  t.ok(nodePort);
  const kept = await patch('change', { metadata: { labels: { a: 'b' } } });
  t.equal(kept.body.spec.ports[0]?.nodePort, nodePort);
  const closed = await patch('change', { spec: { type: 'ClusterIP' } });
  t.equal(closed.code, 200, closed.text);
  t.equal(closed.body.spec.ports[0]?.nodePort, undefined);
  const reused = await create('reused', { type: 'NodePort', ports: [{ port: 80, nodePort }] });
  t.equal(reused.code, 201);
  await Promise.all([remove('change'), remove('reused')]);
});

test('headless and external services hold no address', async (t) => {
  const headless = await create('headless', { clusterIP: 'None' });
  t.match(headless.body.spec, { clusterIP: 'None', clusterIPs: ['None'] });
  const external = await create('external', { type: 'ExternalName', externalName: 'example.com' });
  t.equal(external.body.spec.clusterIP, undefined);
  await Promise.all([remove('headless'), remove('external')]);
});

test('one port over TCP and UDP is one node port', async (t) => {
  const { body } = await create('dns', {
    type: 'NodePort',
    ports: [
      { name: 'tcp', port: 53, protocol: 'TCP' },
      { name: 'udp', port: 53, protocol: 'UDP' },
    ],
  });
  t.equal(body.spec.ports[0]?.nodePort, body.spec.ports[1]?.nodePort);
  await remove('dns');
});

test('a dry run and a refused service take nothing', async (t) => {
  await api.call({
    method: 'POST',
    path: `${services}?dryRun=All`,
    body: service('dry', { clusterIP: '10.50.0.7' }),
  });
  await create('wrong', { clusterIP: '10.50.0.7', type: 'NodePort', ports: [{ port: 80, nodePort: 1 }] });
  t.equal((await create('right', { clusterIP: '10.50.0.7' })).code, 201);
  await remove('right');
});

test('repair gives back what nobody uses and takes what is missing', (t) => {
  const owner = (name: string) => ({ namespace: 'ns', name });
  const now = 1_000_000;
  const plan = planRepair(
    [
      { key: 'used', owner: owner('a'), created: 0 },
      { key: 'leaked', owner: owner('gone'), created: 0 },
      { key: 'young', owner: owner('coming'), created: now - 1000 },
    ],
    new Map([
      ['used', owner('a')],
      ['missing', owner('b')],
    ]),
    now,
  );
  t.strictSame(plan, {
    release: [{ key: 'leaked', owner: owner('gone') }],
    take: [{ key: 'missing', owner: owner('b') }],
  });
  t.end();
});

// Last, so that it also cleans up.
test('stops', async (t) => {
  await t.resolves(api.stop());
});
