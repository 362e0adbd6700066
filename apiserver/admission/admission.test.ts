import { test } from 'tap';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { startApiFixture } from '../testing/api-fixture.ts';

const api = await startApiFixture(['--disable-admission-plugins=']);
const pods = '/api/v1/namespaces/default/pods';
interface Refusal {
  message: string;
}
const pod = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
});
const create = (name: string, spec?: object) =>
  api.call<Pod & Refusal>({ method: 'POST', path: pods, body: pod(name, spec) });
const account = (name: string, extra: object = {}) =>
  api.call({
    method: 'POST',
    path: '/api/v1/namespaces/default/serviceaccounts',
    body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name }, ...extra },
  });

test('a pod needs its service account', async (t) => {
  const { code, body } = await create('lost', { serviceAccountName: 'nobody' });
  t.equal(code, 403);
  t.equal(
    body.message,
    'pods "lost" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
  );
});

test('a pod waits a moment for the default service account of a new namespace', async (t) => {
  const creating = create('early');
  await account('default');
  t.equal((await creating).code, 201);
});

test('a pod is given a token, where it has nothing in that place and does not refuse', async (t) => {
  const { body } = await create('given');
  t.equal(body.spec?.serviceAccountName, 'default');
  const volume = body.spec?.volumes?.[0];
  t.match(volume?.name, /^kube-api-access-[a-z0-9]{5}$/);
  t.match(volume?.projected?.sources, [
    { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
    { configMap: { name: 'kube-root-ca.crt' } },
    { downwardAPI: {} },
  ]);
  t.match(body.spec?.containers?.[0]?.volumeMounts, [
    { name: volume?.name, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
  ]);
  const refusing = await create('refusing', { automountServiceAccountToken: false });
  t.equal(refusing.body.spec?.volumes, undefined);
  await account('quiet', { automountServiceAccountToken: false });
  const quiet = await create('quiet', { serviceAccountName: 'quiet' });
  t.equal(quiet.body.spec?.volumes, undefined);
});

test('a pod tolerates a silent node for five minutes, unless it says otherwise', async (t) => {
  const { body } = await create('patient');
  t.match(body.spec?.tolerations, [
    { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    {
      key: 'node.kubernetes.io/unreachable',
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: 300,
    },
  ]);
  const all = await create('all', { tolerations: [{ operator: 'Exists' }] });
  t.equal(all.body.spec?.tolerations?.length, 1);
});

test('priority follows the class and survives a replacement that leaves it out', async (t) => {
  const { body } = await create('critical', { priorityClassName: 'system-node-critical' });
  t.equal(body.spec?.priority, 2_000_001_000);
  const replaced = structuredClone(body);
  delete replaced.spec?.priority;
  delete replaced.spec?.preemptionPolicy;
  const { code, text } = await api.call({ method: 'PUT', path: `${pods}/critical`, body: replaced });
  t.equal(code, 200, text);
  const unknown = await create('unknown', { priorityClassName: 'nonesuch' });
  t.equal(unknown.body.message, 'pods "unknown" is forbidden: no PriorityClass with name nonesuch was found');
});

const nodes = '/api/v1/nodes';
const node = (name: string, extra: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, ...extra },
});
const asNode = 'system:node:n1@system:nodes';

test('a new node is tainted until it was seen ready', async (t) => {
  const { body } = await api.call<Node>({ method: 'POST', path: nodes, body: node('n1'), as: asNode });
  t.match(body.spec?.taints, [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }]);
});

test('a node may not write under another name, nor its taints, nor protected labels', async (t) => {
  const other = await api.call<Refusal>({ method: 'POST', path: nodes, body: node('n2'), as: asNode });
  t.equal(other.code, 403);
  t.match(other.body.message, /node "n1" is not allowed to modify node "n2"$/);
  const patch = (body: object) =>
    api.call<Refusal>({
      method: 'PATCH',
      path: `${nodes}/n1`,
      body,
      contentType: 'application/merge-patch+json',
      as: asNode,
    });
  const taints = await patch({ spec: { taints: null } });
  t.match(taints.body.message, /node "n1" is not allowed to modify taints$/);
  const labels = await patch({ metadata: { labels: { 'node-restriction.kubernetes.io/zone': 'a' } } });
  t.match(
    labels.body.message,
    /is not allowed to set the following labels: node-restriction\.kubernetes\.io\/zone$/,
  );
  t.equal((await patch({ metadata: { labels: { free: 'yes' } } })).code, 200);
});

// Last, so that it also cleans up.
test('stops', async (t) => {
  await t.resolves(api.stop());
});
