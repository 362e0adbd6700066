import t from 'tap';
import { findCondition } from '../../api/conditions.ts';
import { parseFlags } from '../../api/flags.ts';
import { configMaps, events, leases, namespaces, nodes, pods, serviceAccounts } from '../../api/resources.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import { isAlreadyExists } from '../../client/status-error.ts';
import { flags } from '../../controller-manager/flags.ts';
import { runControllerManager } from '../../controller-manager/run.ts';
import { startControlPlane } from '../lib/control-plane.ts';
import { waitUntil } from '../lib/wait-until.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const namespace = 'default';

const ready = (status: string): NonNullable<Node['status']> => ({
  conditions: [
    {
      type: 'Ready',
      status,
      lastHeartbeatTime: new Date().toISOString().replace(/\.\d+/, ''),
      lastTransitionTime: new Date().toISOString().replace(/\.\d+/, ''),
    },
  ],
});

/** A node as its kubelet registers it and reports its status. */
async function register(client: ApiClient, name: string): Promise<void> {
  const created = await client.create(nodes, { metadata: { name } });
  await client.patch(
    nodes,
    { name },
    { type: 'merge', body: { metadata: { uid: created.metadata?.uid }, status: ready('True') } },
    { subresource: 'status' },
  );
}

async function renew(client: ApiClient, name: string): Promise<void> {
  const key = { name, namespace: 'kube-node-lease' };
  const spec = { holderIdentity: name, renewTime: new Date().toISOString().replace('Z', '000Z') };
  try {
    await client.create(leases, { metadata: key, spec });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    await client.patch(leases, key, { type: 'merge', body: { spec } });
  }
}

const runningOn = async (client: ApiClient, name: string, node: string): Promise<Pod> => {
  await client.create(pods, {
    metadata: { name, namespace },
    spec: {
      nodeName: node,
      containers: [{ name: 'c', image: 'i' }],
      tolerations: [
        {
          key: 'node.kubernetes.io/unreachable',
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 1,
        },
      ],
    },
  });
  const status = { phase: 'Running', podIP: '10.244.0.9', conditions: [{ type: 'Ready', status: 'True' }] };
  return client.patch(
    pods,
    { name, namespace },
    { type: 'merge', body: { status } },
    { subresource: 'status' },
  );
};

const taintsOf = async (client: ApiClient, name: string): Promise<string[]> =>
  ((await client.get(nodes, { name })).spec?.taints ?? [])
    .map(({ key, effect }) => `${key}:${effect}`)
    .sort();

t.test('nodes that come, fall silent and return', async (t) => {
  const plane = await startControlPlane(t.testdir());
  const stopped = new AbortController();
  const client = await plane.client();
  const values = parseFlags(flags, [
    `--kubeconfig=${plane.paths.kubeconfig('controller-manager')}`,
    '--bind-address=127.0.0.1',
    '--secure-port=0',
    '--cluster-cidr=10.20.0.0/22',
    '--node-monitor-grace-period=8s',
    `--root-ca-file=${plane.paths.pki}/ca.crt`,
  ]);
  const running = runControllerManager(values, { log: quiet, signal: stopped.signal });
  let beating: NodeJS.Timeout | undefined;
  t.teardown(async () => {
    clearInterval(beating);
    stopped.abort();
    await running;
    await plane.stop();
  });
  await waitUntil('the default namespace', () => client.get(namespaces, { name: namespace }));

  await t.test('each namespace gets an account and the CA certificate', async (t) => {
    await waitUntil('the account', () => client.get(serviceAccounts, { name: 'default', namespace }));
    const map = await waitUntil('the certificate', () =>
      client.get(configMaps, { name: 'kube-root-ca.crt', namespace }),
    );
    t.match(map.data?.['ca.crt'], /BEGIN CERTIFICATE/);
  });

  await register(client, 'alive');
  await register(client, 'silent');
  beating = setInterval(() => void renew(client, 'alive').catch(() => undefined), 500);

  await t.test('each node gets a part of the pod range', async (t) => {
    const parts = await waitUntil('both parts', async () => {
      const all = (await client.list(nodes)).items.map((node) => node.spec?.podCIDR);
      return all.every((part) => part !== undefined) ? all : undefined;
    });
    t.same([...parts].sort(), ['10.20.0.0/24', '10.20.1.0/24']);
  });

  await runningOn(client, 'abandoned', 'silent');
  await runningOn(client, 'safe', 'alive');

  await t.test('a silent node becomes unknown, and its pods leave when their time is over', async (t) => {
    const node = await waitUntil('the node to be marked', async () => {
      const live = await client.get(nodes, { name: 'silent' });
      return findCondition(live.status?.conditions, 'Ready')?.status === 'Unknown' ? live : undefined;
    });
    t.match(findCondition(node.status?.conditions, 'Ready'), {
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
    });
    await waitUntil('both taints', async () => (await taintsOf(client, 'silent')).length === 2);
    t.same(await taintsOf(client, 'silent'), [
      'node.kubernetes.io/unreachable:NoExecute',
      'node.kubernetes.io/unreachable:NoSchedule',
    ]);
    await waitUntil('the pod to be marked and deleted', async () => {
      const pod = await client.get(pods, { name: 'abandoned', namespace });
      return (
        pod.metadata?.deletionTimestamp !== undefined &&
        findCondition(pod.status?.conditions, 'Ready')?.status === 'False' &&
        findCondition(pod.status?.conditions, 'DisruptionTarget')?.reason === 'DeletionByTaintManager'
      );
    });
    const safe = await client.get(pods, { name: 'safe', namespace });
    t.equal(safe.metadata?.deletionTimestamp, undefined);
    t.equal(findCondition(safe.status?.conditions, 'Ready')?.status, 'True');
    t.same(await taintsOf(client, 'alive'), [], 'a renewed Lease is a sign of life');
  });

  await t.test('a node that returns is clean again', async (t) => {
    await client.patch(
      nodes,
      { name: 'silent' },
      { type: 'merge', body: { status: ready('True') } },
      { subresource: 'status' },
    );
    const beat = setInterval(() => void renew(client, 'silent').catch(() => undefined), 500);
    t.teardown(() => clearInterval(beat));
    await waitUntil('its taints to go', async () => (await taintsOf(client, 'silent')).length === 0);
    const told = await waitUntil('both events', async () => {
      const list = await client.list(events, { fieldSelector: 'involvedObject.name=silent' });
      const reasons = list.items.map(({ reason }) => reason);
      return reasons.includes('RegisteredNode') && reasons.includes('NodeNotReady') ? list.items : undefined;
    });
    t.match(
      told.find(({ reason }) => reason === 'NodeNotReady')?.message,
      'Node silent status is now: NodeNotReady',
    );
  });

  await t.test('a cordoned node is tainted', async (t) => {
    await client.patch(nodes, { name: 'alive' }, { type: 'merge', body: { spec: { unschedulable: true } } });
    await waitUntil('the taint', async () => (await taintsOf(client, 'alive')).length > 0);
    t.same(await taintsOf(client, 'alive'), ['node.kubernetes.io/unschedulable:NoSchedule']);
  });

  await t.test('the leader gives its Lease up when it stops', async (t) => {
    clearInterval(beating);
    stopped.abort();
    await running;
    const lease = await client.get(leases, { name: 'kube-controller-manager', namespace: 'kube-system' });
    t.equal(lease.spec?.holderIdentity, '');
  });
});
