import t, { type Test } from 'tap';
import { findCondition } from '../../api/conditions.ts';
import {
  configMaps,
  deployments,
  endpointSlices,
  endpoints,
  events,
  jobs,
  namespaces,
  nodes,
  pods,
  replicaSets,
  serviceAccounts,
  services,
} from '../../api/resources.ts';
import type { Deployment } from '../../api/types/apps-v1.ts';
import type { Job, JobSpec } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import { Informer } from '../../client/informer.ts';
import { isNotFound } from '../../client/status-error.ts';
import { newReplicaSet } from '../../controller-manager/deployment/plan.ts';
import { type ControlPlane, startControlPlane } from '../lib/control-plane.ts';
import { FakeKubelet, type Fate } from '../lib/fake-kubelet.ts';
import { waitUntil } from '../lib/wait-until.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** Pods do what their label `fate` says. */
const fateOf = (pod: Pod): Fate => (pod.metadata?.labels?.fate as Fate | undefined) ?? 'ready';

async function startWorld(t: Test): Promise<{ plane: ControlPlane; client: ApiClient }> {
  const plane = await startControlPlane(t.testdir(), { also: ['controller-manager'] });
  const stopped = new AbortController();
  t.teardown(async () => {
    stopped.abort();
    await plane.stop();
  });
  const client = await plane.client();
  await client.create(nodes, { metadata: { name: 'node-1' } });
  new FakeKubelet({ client, log: quiet, node: 'node-1', fate: fateOf }).start(stopped.signal);
  return { plane, client };
}

async function makeNamespace(client: ApiClient, name: string): Promise<void> {
  await client.create(namespaces, { metadata: { name } });
  await waitUntil('the default service account', () =>
    client.get(serviceAccounts, { name: 'default', namespace: name }),
  );
}

const deployment = (namespace: string, image: string, labels: Record<string, string> = {}): Deployment => ({
  metadata: { name: 'web', namespace },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web', ...labels } },
      spec: { containers: [{ name: 'web', image, ports: [{ name: 'http', containerPort: 8080 }] }] },
    },
  },
});

const job = (namespace: string, name: string, fate: Fate, spec: Partial<JobSpec> = {}): Job => ({
  metadata: { name, namespace },
  spec: {
    ...spec,
    template: {
      metadata: { labels: { fate } },
      spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'busybox' }] },
    },
  },
});

const setImage = (client: ApiClient, namespace: string, image: string) =>
  client.patch(
    deployments,
    { name: 'web', namespace },
    { type: 'strategic', body: { spec: { template: { spec: { containers: [{ name: 'web', image }] } } } } },
  );

const rolledOut = (client: ApiClient, namespace: string, image: string) =>
  waitUntil(`${image} to be rolled out`, async () => {
    const { metadata, status } = await client.get(deployments, { name: 'web', namespace });
    const running = (await client.list(pods, { namespace, labelSelector: 'app=web' })).items;
    return (
      status?.observedGeneration === metadata?.generation &&
      status?.availableReplicas === 3 &&
      status?.replicas === 3 &&
      status?.updatedReplicas === 3 &&
      running.length === 3 &&
      running.every((pod) => pod.spec?.containers[0]?.image === image)
    );
  });

const isGone = async (read: () => Promise<unknown>): Promise<boolean> => {
  try {
    await read();
    return false;
  } catch (error) {
    if (isNotFound(error)) return true;
    throw error;
  }
};

async function eventsOf(client: ApiClient, namespace: string, name: string): Promise<string[]> {
  const list = await client.list(events, { namespace, fieldSelector: `involvedObject.name=${name}` });
  return list.items.map((event) => `${event.type} ${event.reason}: ${event.message}`);
}

t.test('the controllers against the real API server', async (t) => {
  const { plane, client } = await startWorld(t);

  await t.test('a Deployment comes up, rolls, rolls back and heals', async (t) => {
    const namespace = 'rolling';
    await makeNamespace(client, namespace);
    await client.create(services, {
      metadata: { name: 'web', namespace },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] },
    });
    await client.create(deployments, deployment(namespace, 'web:1'));
    await rolledOut(client, namespace, 'web:1');
    const [first] = (await client.list(replicaSets, { namespace })).items;

    await setImage(client, namespace, 'web:2');
    await rolledOut(client, namespace, 'web:2');
    t.equal((await client.list(replicaSets, { namespace })).items.length, 2);
    await setImage(client, namespace, 'web:1');
    await rolledOut(client, namespace, 'web:1');
    const back = await client.get(replicaSets, { name: first?.metadata?.name ?? '', namespace });
    t.equal(back.spec?.replicas, 3, 'the first ReplicaSet is used again');
    t.match(back.metadata?.annotations, {
      'deployment.kubernetes.io/revision': '3',
      'deployment.kubernetes.io/revision-history': '1',
    });
    const done = await waitUntil('the rollout to be told as complete', async () => {
      const live = await client.get(deployments, { name: 'web', namespace });
      return findCondition(live.status?.conditions, 'Progressing')?.reason === 'NewReplicaSetAvailable'
        ? live
        : undefined;
    });
    t.equal(done.metadata?.annotations?.['deployment.kubernetes.io/revision'], '3');
    const told = await waitUntil('the events', async () => {
      const list = await eventsOf(client, namespace, 'web');
      return list.length >= 7 ? list : undefined;
    });
    t.ok(
      told.includes(`Normal ScalingReplicaSet: Scaled up replica set ${first?.metadata?.name} from 0 to 3`),
    );

    const [victim] = (await client.list(pods, { namespace, labelSelector: 'app=web' })).items;
    await client.delete(pods, { name: victim?.metadata?.name ?? '', namespace });
    await rolledOut(client, namespace, 'web:1');

    const published = await waitUntil('the endpoints of exactly the living pods', async () => {
      const living = (await client.list(pods, { namespace })).items;
      const addresses = living.map((pod) => pod.status?.podIP).sort();
      if (living.length !== 3 || living.some((pod) => pod.metadata?.uid === victim?.metadata?.uid))
        return undefined;
      const slices = (await client.list(endpointSlices, { namespace })).items;
      const inSlices = slices.flatMap((slice) => slice.endpoints ?? []).flatMap((item) => item.addresses);
      const { subsets } = await client.get(endpoints, { name: 'web', namespace });
      const inEndpoints = subsets?.[0]?.addresses?.map(({ ip }) => ip) ?? [];
      return String(inSlices.sort()) === String(addresses) && String(inEndpoints) === String(addresses)
        ? { slices, subsets }
        : undefined;
    });
    t.match(published.subsets?.[0]?.ports, [{ port: 8080, protocol: 'TCP' }]);
    t.match(published.slices, [
      {
        addressType: 'IPv4',
        ports: [{ port: 8080 }],
        metadata: { labels: { 'kubernetes.io/service-name': 'web' } },
      },
    ]);
  });

  await t.test('a template that never gets ready leaves the old pods serving', async (t) => {
    const namespace = 'stuck';
    await makeNamespace(client, namespace);
    await client.create(deployments, deployment(namespace, 'web:1'));
    await rolledOut(client, namespace, 'web:1');
    await client.patch(
      deployments,
      { name: 'web', namespace },
      { type: 'merge', body: { spec: { template: { metadata: { labels: { fate: 'unready' } } } } } },
    );
    await waitUntil('one new pod', async () => {
      const { status } = await client.get(deployments, { name: 'web', namespace });
      return status?.updatedReplicas === 1 && status.replicas === 4;
    });
    const { status } = await client.get(deployments, { name: 'web', namespace });
    t.equal(status?.availableReplicas, 3);
    t.match(findCondition(status?.conditions, 'Available'), { status: 'True' });
  });

  await t.test('owners take their dependents with them as asked', async (t) => {
    const namespace = 'owners';
    await makeNamespace(client, namespace);
    const key = { name: 'web', namespace };
    const begin = async () => {
      await client.create(deployments, deployment(namespace, 'web:1'));
      await rolledOut(client, namespace, 'web:1');
    };
    const left = async () => ({
      sets: (await client.list(replicaSets, { namespace })).items,
      pods: (await client.list(pods, { namespace })).items,
    });

    await begin();
    await client.delete(deployments, key, { propagationPolicy: 'Background' });
    await waitUntil('background deletion to end', async () => {
      const { sets, pods: living } = await left();
      return sets.length === 0 && living.length === 0;
    });

    await begin();
    await client.delete(deployments, key, { propagationPolicy: 'Foreground' });
    await waitUntil('foreground deletion to end', () => isGone(() => client.get(deployments, key)));
    t.same(await left(), { sets: [], pods: [] }, 'the owner goes last');

    await begin();
    await client.delete(deployments, key, { propagationPolicy: 'Orphan' });
    await waitUntil('orphaning to end', () => isGone(() => client.get(deployments, key)));
    const orphaned = await left();
    t.equal(orphaned.pods.length, 3);
    t.same(
      orphaned.sets.map((item) => item.metadata?.ownerReferences ?? []),
      [[]],
    );

    await client.create(deployments, deployment(namespace, 'web:1'));
    await waitUntil('the orphan to be adopted', async () => {
      const { sets } = await left();
      return sets.length === 1 && sets[0]?.metadata?.ownerReferences?.[0]?.name === 'web';
    });
    t.equal((await left()).pods.length, 3, 'no pod was replaced');
  });

  await t.test(
    'an object whose owner does not exist is collected, one with another owner stays',
    async (t) => {
      const namespace = 'absent';
      await makeNamespace(client, namespace);
      const ghost = { apiVersion: 'v1', kind: 'ConfigMap', name: 'ghost', uid: 'no-such-uid' };
      const owner = await client.create(configMaps, { metadata: { name: 'owner', namespace } });
      const real = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata?.uid ?? '' };
      await client.create(configMaps, { metadata: { name: 'lost', namespace, ownerReferences: [ghost] } });
      await client.create(configMaps, {
        metadata: { name: 'kept', namespace, ownerReferences: [ghost, real] },
      });
      await waitUntil('the lost one to go', () =>
        isGone(() => client.get(configMaps, { name: 'lost', namespace })),
      );
      const kept = await waitUntil('the dangling reference to go', async () => {
        const object = await client.get(configMaps, { name: 'kept', namespace });
        return object.metadata?.ownerReferences?.length === 1 ? object : undefined;
      });
      t.equal(kept.metadata?.ownerReferences?.[0]?.name, 'owner');
    },
  );

  await t.test('jobs count every pod once', async (t) => {
    const namespace = 'jobs';
    await makeNamespace(client, namespace);
    await client.create(jobs, job(namespace, 'good', 'succeed', { completions: 5, parallelism: 2 }));
    await client.create(jobs, job(namespace, 'bad', 'fail', { backoffLimit: 0 }));
    const indexed = { completions: 4, parallelism: 4, completionMode: 'Indexed' };
    await client.create(jobs, job(namespace, 'indexed', 'succeed', indexed));
    const ended = (name: string) =>
      waitUntil(`job ${name} to end`, async () => {
        const live = await client.get(jobs, { name, namespace });
        const finished = ['Complete', 'Failed'].some((type) => findCondition(live.status?.conditions, type));
        return finished ? live.status : undefined;
      });
    t.match(await ended('good'), { succeeded: 5, completionTime: String });
    t.match((await ended('bad')).conditions, [
      { type: 'FailureTarget', reason: 'BackoffLimitExceeded' },
      {
        type: 'Failed',
        reason: 'BackoffLimitExceeded',
        message: 'Job has reached the specified backoff limit',
      },
    ]);
    t.equal((await client.get(jobs, { name: 'bad', namespace })).status?.failed, 1);
    t.equal((await ended('indexed')).completedIndexes, '0-3');
    const created = (await client.list(pods, { namespace })).items;
    t.equal(created.length, 5 + 1 + 4, 'no pod too many');
    await waitUntil('the finalizers to go', async () =>
      (await client.list(pods, { namespace })).items.every((pod) => !pod.metadata?.finalizers?.length),
    );
    await client.delete(jobs, { name: 'good', namespace }, { propagationPolicy: 'Background' });
    await waitUntil('the pods of a deleted job to go', async () => {
      const list = await client.list(pods, { namespace, labelSelector: 'job-name=good' });
      return list.items.length === 0;
    });
  });

  await t.test('the process may be killed at any time', async (t) => {
    const namespace = 'killed';
    await makeNamespace(client, namespace);
    await client.create(deployments, deployment(namespace, 'web:1'));
    await client.create(jobs, job(namespace, 'counted', 'succeed', { completions: 12, parallelism: 3 }));
    for (let image = 2; image <= 4; image++) {
      await setImage(client, namespace, `web:${image}`);
      await waitUntil('the rollout to begin', async () => {
        const list = await client.list(pods, { namespace, labelSelector: 'app=web' });
        return list.items.some((pod) => pod.spec?.containers[0]?.image === `web:${image}`);
      });
      await plane.kill('controller-manager', 'SIGKILL');
      plane.start('controller-manager');
    }
    await rolledOut(client, namespace, 'web:4');
    const status = await waitUntil('the job to end', async () => {
      const live = await client.get(jobs, { name: 'counted', namespace });
      return findCondition(live.status?.conditions, 'Complete') ? live.status : undefined;
    });
    t.equal(status.succeeded, 12);
    const made = (await client.list(pods, { namespace, labelSelector: 'job-name=counted' })).items;
    t.equal(made.length, 12, 'no pod too many');
  });

  await t.test('a ReplicaSet makes as many pods as it needs and no more, killed or not', async (t) => {
    const namespace = 'exact';
    await makeNamespace(client, namespace);
    let made = 0;
    let gone = 0;
    const stopped = new AbortController();
    t.teardown(() => stopped.abort());
    const seen = new Informer({ client, log: quiet, resource: pods, namespace });
    seen.on({ add: () => made++, delete: () => gone++ });
    seen.start(stopped.signal);
    await seen.synced;
    const labels = { app: 'many' };
    await client.create(replicaSets, {
      metadata: { name: 'many', namespace },
      spec: {
        replicas: 60,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    });
    await waitUntil('the first pods', () => made > 3);
    await plane.kill('controller-manager', 'SIGKILL');
    plane.start('controller-manager');
    const ready = (count: number) =>
      waitUntil(`${count} ready pods`, async () => {
        const { status } = await client.get(replicaSets, { name: 'many', namespace });
        return status?.readyReplicas === count && status.replicas === count && seen.size === count;
      });
    await ready(60);
    t.equal(made, 60);
    t.equal(gone, 0);
    const scale = { type: 'merge', body: { spec: { replicas: 25 } } } as const;
    await client.patch(replicaSets, { name: 'many', namespace }, scale);
    await ready(25);
    t.equal(made, 60, 'none was replaced');
    t.equal(gone, 35);
  });

  await t.test('a ReplicaSet name that is taken is avoided', async (t) => {
    const namespace = 'taken';
    await makeNamespace(client, namespace);
    const wanted = deployment(namespace, 'web:1');
    const paused = await client.create(deployments, { ...wanted, spec: { ...wanted.spec!, paused: true } });
    const { name } = newReplicaSet(paused, [], 1).metadata ?? {};
    const labels = { app: 'squatter' };
    await client.create(replicaSets, {
      metadata: { name, namespace },
      spec: {
        replicas: 0,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    });
    const resume = { type: 'merge', body: { spec: { paused: false } } } as const;
    await client.patch(deployments, { name: 'web', namespace }, resume);
    await rolledOut(client, namespace, 'web:1');
    const { status } = await client.get(deployments, { name: 'web', namespace });
    t.equal(status?.collisionCount, 1);
    const squatter = await client.get(replicaSets, { name: name ?? '', namespace });
    t.equal(squatter.metadata?.ownerReferences, undefined, 'and left alone');
  });

  await t.test('Endpoints written by hand are mirrored, and leave with their service', async (t) => {
    const namespace = 'byhand';
    await makeNamespace(client, namespace);
    const key = { name: 'db', namespace };
    await client.create(services, { metadata: key, spec: { ports: [{ port: 5432 }] } });
    const subsets = [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 5432 }] }];
    await client.create(endpoints, { metadata: key, subsets });
    const slice = await waitUntil(
      'the mirror',
      async () => (await client.list(endpointSlices, { namespace })).items[0],
    );
    t.match(slice.endpoints, [{ addresses: ['192.0.2.1'], conditions: { ready: true } }]);
    await client.delete(services, key);
    await waitUntil('the Endpoints to go', () => isGone(() => client.get(endpoints, key)));
    await waitUntil(
      'the slice to go',
      async () => (await client.list(endpointSlices, { namespace })).items.length === 0,
    );
  });

  await t.test('a finished job goes when its time is over, with its pods', async (t) => {
    const namespace = 'expiring';
    await makeNamespace(client, namespace);
    await client.create(jobs, job(namespace, 'short', 'succeed', { ttlSecondsAfterFinished: 1 }));
    await waitUntil('the job to go', () => isGone(() => client.get(jobs, { name: 'short', namespace })));
    t.same((await client.list(pods, { namespace })).items, []);
  });

  await t.test('a namespace leaves with all that is in it', async (t) => {
    const namespace = 'leaving';
    await makeNamespace(client, namespace);
    await client.create(deployments, deployment(namespace, 'web:1'));
    await rolledOut(client, namespace, 'web:1');
    await client.delete(namespaces, { name: namespace });
    await waitUntil('the namespace to go', () => isGone(() => client.get(namespaces, { name: namespace })));
    for (const resource of [pods, replicaSets, deployments, serviceAccounts, configMaps])
      t.same((await client.list(resource, { namespace })).items, [], resource.plural);
  });
});
