import t, { type Test } from 'tap';
import { findCondition } from '../../api/conditions.ts';
import { events, namespaces, nodes, pods, serviceAccounts } from '../../api/resources.ts';
import type { Pod, PodSpec } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import { startControlPlane } from '../lib/control-plane.ts';
import { waitUntil } from '../lib/wait-until.ts';

const namespace = 'default';

async function addNode(client: ApiClient, name: string, cpu: string): Promise<void> {
  await client.create(nodes, { metadata: { name, labels: { 'kubernetes.io/hostname': name } } });
  await setCPU(client, name, cpu);
  // No kubelet and no controllers here: nobody else takes the not-ready taint away.
  await client.patch(nodes, { name }, { type: 'merge', body: { spec: { taints: null } } });
}

const setCPU = (client: ApiClient, name: string, cpu: string) =>
  client.patch(
    nodes,
    { name },
    { type: 'merge', body: { status: { allocatable: { cpu, memory: '64Gi', pods: '500' } } } },
    { subresource: 'status' },
  );

const pod = (name: string, cpu: string, more: Partial<PodSpec> = {}): Pod => ({
  metadata: { name, namespace },
  spec: { containers: [{ name: 'c', image: 'web', resources: { requests: { cpu } } }], ...more },
});

const bound = (client: ApiClient, name: string) =>
  waitUntil(
    `pod ${name} to be bound`,
    async () => (await client.get(pods, { name, namespace })).spec?.nodeName,
  );

const refused = (client: ApiClient, name: string, why: RegExp) =>
  waitUntil(`pod ${name} to be refused`, async () => {
    const condition = findCondition(
      (await client.get(pods, { name, namespace })).status?.conditions,
      'PodScheduled',
    );
    return (
      condition?.status === 'False' &&
      condition.reason === 'Unschedulable' &&
      why.test(condition.message ?? '')
    );
  });

async function eventsOf(client: ApiClient, name: string): Promise<string[]> {
  const list = await client.list(events, { namespace, fieldSelector: `involvedObject.name=${name}` });
  return list.items.map((event) => `${event.type} ${event.reason}: ${event.message}`);
}

t.test('the scheduler against the real API server', async (t: Test) => {
  const plane = await startControlPlane(t.testdir(), { also: ['scheduler'] });
  t.teardown(() => plane.stop());
  const client = await plane.client();
  await waitUntil('the default namespace', () => client.get(namespaces, { name: namespace }));
  // Pods need it, and its controller does not run here.
  await client.create(serviceAccounts, { metadata: { name: 'default', namespace } });

  await t.test('binds, tells of it, and wakes pods when nodes come and grow', async (t) => {
    await client.create(pods, pod('first', '1'));
    await refused(client, 'first', /^no nodes available to schedule pods$/);
    await addNode(client, 'a', '2');
    t.equal(await bound(client, 'first'), 'a');
    const scheduled = findCondition(
      (await client.get(pods, { name: 'first', namespace })).status?.conditions,
      'PodScheduled',
    );
    t.equal(scheduled?.status, 'True');
    await waitUntil('the event', async () =>
      (await eventsOf(client, 'first')).includes(
        'Normal Scheduled: Successfully assigned default/first to a',
      ),
    );

    await client.create(pods, pod('large', '2'));
    await refused(client, 'large', /^0\/1 nodes are available: 1 Insufficient cpu\. preemption: 0\/1 nodes/);
    await waitUntil('the event', async () =>
      (await eventsOf(client, 'large')).some((text) =>
        text.startsWith('Warning FailedScheduling: 0/1 nodes'),
      ),
    );
    await client.delete(pods, { name: 'first', namespace }, { gracePeriodSeconds: 0 });
    t.equal(await bound(client, 'large'), 'a');

    await client.create(pods, pod('more', '1'));
    await refused(client, 'more', /Insufficient cpu/);
    await setCPU(client, 'a', '3');
    t.equal(await bound(client, 'more'), 'a');
  });

  await t.test('leaves gated pods and those of other schedulers alone', async (t) => {
    await addNode(client, 'b', '4');
    await client.create(pods, pod('gated', '100m', { schedulingGates: [{ name: 'example.com/wait' }] }));
    await client.create(pods, pod('foreign', '100m', { schedulerName: 'other' }));
    await client.create(pods, pod('plain', '100m'));
    await bound(client, 'plain');
    t.notOk((await client.get(pods, { name: 'gated', namespace })).spec?.nodeName);
    t.notOk((await client.get(pods, { name: 'foreign', namespace })).spec?.nodeName);
    await client.patch(
      pods,
      { name: 'gated', namespace },
      { type: 'json', body: [{ op: 'remove', path: '/spec/schedulingGates' }] },
    );
    t.ok(await bound(client, 'gated'));
  });

  await t.test('killed in the middle, it goes on without overfilling a node', async (t) => {
    await addNode(client, 'c', '20');
    await addNode(client, 'd', '20');
    const names = Array.from({ length: 160 }, (_, i) => `many-${i}`);
    await Promise.all(names.map((name) => client.create(pods, pod(name, '250m'))));
    await plane.kill('scheduler', 'SIGKILL');
    plane.start('scheduler');
    const all = await waitUntil('all that fit to be bound', async () => {
      const list = await client.list(pods, { namespace });
      const many = list.items.filter((item) => item.metadata?.name?.startsWith('many-'));
      return many.every((item) => item.spec?.nodeName) ? list.items : undefined;
    });
    const used = new Map<string, number>();
    for (const item of all) {
      const cpu = item.spec!.containers[0]!.resources!.requests!.cpu!;
      const amount = cpu.endsWith('m') ? Number(cpu.slice(0, -1)) : Number(cpu) * 1000;
      if (item.spec?.nodeName) used.set(item.spec.nodeName, (used.get(item.spec.nodeName) ?? 0) + amount);
    }
    for (const [name, limit] of [
      ['a', 3000],
      ['b', 4000],
      ['c', 20_000],
      ['d', 20_000],
    ] as const)
      t.ok((used.get(name) ?? 0) <= limit, `${name} has ${used.get(name)}m of ${limit}m`);
  });
});
