import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { isConditionTrue } from '../../api/conditions.ts';
import { isPodReady } from '../../api/pods.ts';
import { configMaps, events, namespaces, nodes, pods } from '../../api/resources.ts';
import type { Container, Pod, PodSpec } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import { isNotFound } from '../../client/status-error.ts';
import { type ControlPlane, startControlPlane } from '../lib/control-plane.ts';
import { busyboxImage, makeBusyboxImage } from '../lib/images.ts';
import { runKubeletCleanup } from '../lib/kubelet-cleanup.ts';
import { runProgram } from '../lib/program.ts';
import { waitUntil } from '../lib/wait-until.ts';

const cluster = {
  clusterName: 'nkube-kubelet-test',
  bridgeName: 'nktk0',
  clusterCIDR: '10.229.0.0/16',
  nodeName: 'kubelet-test',
};
const namespace = 'default';
/** A busy machine may take its time; nothing here measures speed. */
const patience = { seconds: 120, intervalMilliseconds: 100 };

const shell = (script: string): Pick<Container, 'image' | 'command'> => ({
  image: busyboxImage,
  command: ['sh', '-c', script],
});
const forever = shell('exec sleep 100000');

/** All containers of this test's node, or of one pod: name of the container and whether it runs. */
async function containers(podName?: string): Promise<string[]> {
  const filters = [`label=nekalakube.io/cluster=${cluster.clusterName}`];
  if (podName) filters.push(`label=io.kubernetes.pod.name=${podName}`);
  const { stdout } = await runProgram('docker', [
    'ps',
    '--all',
    ...filters.flatMap((filter) => ['--filter', filter]),
    '--format',
    '{{.Label "io.kubernetes.container.name"}} {{.State}}',
  ]);
  return stdout.split('\n').filter(Boolean).sort();
}

const engineID = (containerID: string | undefined) => containerID?.replace('docker://', '') ?? '';

async function logsOf(containerID: string | undefined): Promise<string> {
  return (await runProgram('docker', ['logs', engineID(containerID)])).stdout;
}

class Fixture {
  readonly plane: ControlPlane;
  readonly client: ApiClient;
  constructor(plane: ControlPlane, client: ApiClient) {
    this.plane = plane;
    this.client = client;
  }

  create(name: string, spec: Partial<PodSpec>, metadata: Pod['metadata'] = {}): Promise<Pod> {
    return this.client.create(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, ...metadata },
      spec: { containers: [], nodeName: cluster.nodeName, terminationGracePeriodSeconds: 1, ...spec },
    });
  }

  get(name: string): Promise<Pod> {
    return this.client.get(pods, { name, namespace });
  }

  /** The pod once it satisfies a condition. */
  async until(name: string, what: string, condition: (pod: Pod) => unknown): Promise<Pod> {
    return waitUntil(
      `pod ${name} ${what}`,
      async () => {
        const pod = await this.get(name);
        return condition(pod) ? pod : undefined;
      },
      patience,
    );
  }

  ready(name: string): Promise<Pod> {
    return this.until(name, 'is ready', isPodReady);
  }

  phase(name: string, phase: string): Promise<Pod> {
    return this.until(name, `is ${phase}`, ({ status }) => status?.phase === phase);
  }

  async gone(name: string): Promise<void> {
    await waitUntil(
      `pod ${name} is gone`,
      async () => {
        try {
          await this.get(name);
          return false;
        } catch (error) {
          return isNotFound(error);
        }
      },
      patience,
    );
  }

  async remove(name: string): Promise<void> {
    await this.client.delete(pods, { name, namespace });
    await this.gone(name);
  }

  async reasons(name: string): Promise<string[]> {
    const list = await this.client.list(events, { namespace, fieldSelector: `involvedObject.name=${name}` });
    return list.items.map(({ reason }) => reason ?? '');
  }
}

t.test('the kubelet against the real API server and the real Docker Engine', async (t: Test) => {
  await makeBusyboxImage();
  const directory = t.testdir();
  const plane = await startControlPlane(directory, {
    also: ['controller-manager', 'kubelet'],
    config: cluster,
  });
  const client = await plane.client();
  const f = new Fixture(plane, client);
  t.teardown(async () => {
    await plane.stop();
    await runKubeletCleanup({ ...cluster, rootDirectory: plane.paths.kubelet });
  });
  const podFiles = () => {
    const folder = join(plane.paths.kubelet, 'pods');
    return existsSync(folder) ? readdirSync(folder) : [];
  };

  await t.test('registers its node, which becomes ready once it has a network', async (t) => {
    const node = await waitUntil(
      'the node is ready',
      async () => {
        const found = await client.get(nodes, { name: cluster.nodeName });
        return isConditionTrue(found.status?.conditions, 'Ready') ? found : undefined;
      },
      patience,
    );
    t.match(node.status?.nodeInfo, { operatingSystem: 'linux', containerRuntimeVersion: /^docker:\/\// });
    t.equal(node.metadata?.labels?.['kubernetes.io/hostname'], cluster.nodeName);
    await waitUntil('the namespace has its configMap', () =>
      client.get(configMaps, { name: 'kube-root-ca.crt', namespace }),
    );
    await waitUntil('the default namespace', () => client.get(namespaces, { name: namespace }));
  });

  await t.test('gives a container all that its spec says', async (t) => {
    await client.create(configMaps, { metadata: { name: 'settings', namespace }, data: { colour: 'red' } });
    await f.create(
      'full',
      {
        hostname: 'host',
        subdomain: 'sub',
        hostAliases: [{ ip: '192.0.2.99', hostnames: ['alias'] }],
        initContainers: [
          {
            name: 'first',
            ...shell('echo one > /work/order'),
            volumeMounts: [{ name: 'work', mountPath: '/work' }],
          },
          {
            name: 'second',
            ...shell('echo two >> /work/order'),
            volumeMounts: [{ name: 'work', mountPath: '/work' }],
          },
        ],
        containers: [
          {
            name: 'main',
            ...shell(
              'cat /work/order; echo "$COLOUR $IP $LIMIT $ARG"; id -u; cat /etc/hosts /etc/resolv.conf; hostname; wc -c < /var/run/secrets/kubernetes.io/serviceaccount/token; exec sleep 100000',
            ),
            env: [
              { name: 'COLOUR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'colour' } } },
              { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
              {
                name: 'LIMIT',
                valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } },
              },
              { name: 'ARG', value: '<$(COLOUR)>' },
            ],
            resources: { limits: { memory: '64Mi', cpu: '500m' } },
            securityContext: { runAsUser: 1234 },
            volumeMounts: [
              { name: 'work', mountPath: '/work' },
              { name: 'config', mountPath: '/config' },
            ],
          },
          { name: 'peer', ...forever },
        ],
        volumes: [
          { name: 'work', emptyDir: {} },
          { name: 'config', configMap: { name: 'settings' } },
        ],
      },
      { labels: { app: 'full' } },
    );
    const pod = await f.ready('full');
    const [main] = pod.status?.containerStatuses ?? [];
    const log = await waitUntil('the log is complete', async () => {
      const text = await logsOf(main?.containerID);
      return /\nhost\n\d+\n$/.test(text) ? text : undefined;
    });
    t.match(log, /^one\ntwo\nred 10\.229\.\d+\.\d+ 64 <red>\n1234\n# Kubernetes-managed hosts file/);
    t.ok(
      log.includes(`red ${pod.status?.podIP} 64`),
      'the address in the environment is the one in the status',
    );
    t.match(log, /192\.0\.2\.99\talias\n/);
    t.match(log, /search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local/);
    t.match(log, /\nhost\n\d+\n$/);
    t.match(pod.status, {
      phase: 'Running',
      qosClass: 'Burstable',
      initContainerStatuses: [
        { name: 'first', ready: true, state: { terminated: { reason: 'Completed' } } },
        { name: 'second', ready: true },
      ],
      containerStatuses: [
        { name: 'main', ready: true, started: true, restartCount: 0 },
        { name: 'peer', ready: true },
      ],
    });
    const inspect = await runProgram('docker', [
      'inspect',
      '--format',
      '{{.HostConfig.Memory}} {{.HostConfig.CpuQuota}}',
      engineID(main?.containerID),
    ]);
    t.equal(inspect.stdout.trim(), `${64 * 2 ** 20} 50000`);
  });

  await t.test('brings a changed ConfigMap into the running container', async (t) => {
    await client.patch(
      configMaps,
      { name: 'settings', namespace },
      { type: 'merge', body: { data: { colour: 'blue' } } },
    );
    const pod = await f.get('full');
    const id = engineID(pod.status?.containerStatuses?.[0]?.containerID);
    await waitUntil(
      'the file changes',
      async () => (await runProgram('docker', ['exec', id, 'cat', '/config/colour'])).stdout === 'blue',
      patience,
    );
    t.equal((await f.get('full')).status?.containerStatuses?.[0]?.restartCount, 0);
  });

  await t.test('restarts a container that was killed behind its back, and only that', async (t) => {
    const before = await f.get('full');
    await runProgram('docker', ['kill', engineID(before.status?.containerStatuses?.[1]?.containerID)]);
    const pod = await f.until('full', 'has restarted its container', ({ status }) => {
      const peer = status?.containerStatuses?.[1];
      return peer?.restartCount === 1 && peer.ready;
    });
    t.match(pod.status?.containerStatuses?.[1]?.lastState?.terminated, { exitCode: 137, reason: 'Error' });
    t.equal(
      pod.status?.containerStatuses?.[0]?.containerID,
      before.status?.containerStatuses?.[0]?.containerID,
    );
    t.equal(pod.status?.podIP, before.status?.podIP);
  });

  await t.test('makes the pod anew when its sandbox is removed', async (t) => {
    const { stdout } = await runProgram('docker', [
      'ps',
      '--quiet',
      '--filter',
      'label=io.kubernetes.pod.name=full',
      '--filter',
      'label=io.kubernetes.docker.type=podsandbox',
    ]);
    await runProgram('docker', ['rm', '--force', stdout.trim()]);
    await f.until('full', 'runs again', ({ status }) =>
      status?.containerStatuses?.every(({ restartCount, ready }) => restartCount > 0 && ready),
    );
    t.same(
      (await containers('full')).filter((line) => line.endsWith('running')),
      ['POD running', 'main running', 'peer running'],
    );
  });

  await t.test('a pod that is deleted leaves nothing', async (t) => {
    await f.remove('full');
    t.same(await containers('full'), []);
    t.same(podFiles(), []);
    const mounts = await readFile('/proc/self/mounts', 'utf8');
    t.notOk(mounts.includes(plane.paths.kubelet));
  });

  await t.test('restart policies lead to the phases that Kubernetes reports', async (t) => {
    const ending = (name: string, restartPolicy: string, script: string) =>
      f.create(name, {
        restartPolicy,
        containers: [{ name: 'c', ...shell(script), terminationMessagePolicy: 'FallbackToLogsOnError' }],
      });
    await ending('succeeds', 'Never', 'echo done > /dev/termination-log');
    await ending('fails', 'Never', 'echo broken; exit 3');
    await ending('retries', 'OnFailure', 'exit 1');
    const stateOf = (pod: Pod) => pod.status?.containerStatuses?.[0]?.state?.terminated;
    t.match(stateOf(await f.phase('succeeds', 'Succeeded')), {
      exitCode: 0,
      reason: 'Completed',
      message: 'done\n',
    });
    t.match(stateOf(await f.phase('fails', 'Failed')), { exitCode: 3, reason: 'Error', message: 'broken\n' });
    const backing = await f.until(
      'retries',
      'backs off',
      ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff',
    );
    t.equal(backing.status?.phase, 'Running');
    t.match(
      backing.status?.containerStatuses?.[0]?.state?.waiting?.message,
      /^back-off 10s restarting failed container=c pod=retries_default\(/,
    );
    await waitUntil('the event', async () => (await f.reasons('retries')).includes('BackOff'), patience);
    for (const name of ['succeeds', 'fails', 'retries']) await f.remove(name);
  });

  await t.test('a container that cannot be made says why, and starts once it can', async (t) => {
    await f.create('blocked', {
      containers: [{ name: 'c', ...forever, envFrom: [{ configMapRef: { name: 'later' } }] }],
    });
    const waiting = await f.until(
      'blocked',
      'waits',
      ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    t.equal(waiting.status?.containerStatuses?.[0]?.state?.waiting?.message, 'configmap "later" not found');
    t.equal(waiting.status?.phase, 'Pending');
    await client.create(configMaps, { metadata: { name: 'later', namespace }, data: {} });
    t.equal((await f.ready('blocked')).status?.containerStatuses?.[0]?.restartCount, 0);
    await f.remove('blocked');
  });

  await t.test('a failed liveness probe restarts its container; readiness only unreadies it', async (t) => {
    await f.create('probed', {
      containers: [
        {
          name: 'c',
          ...shell('touch /alive /ready; exec sleep 100000'),
          // The other probes wait for it, so that none meets a container that has not come to its files yet.
          startupProbe: {
            exec: { command: ['cat', '/alive', '/ready'] },
            periodSeconds: 1,
            failureThreshold: 300,
            timeoutSeconds: 30,
          },
          livenessProbe: {
            exec: { command: ['cat', '/alive'] },
            periodSeconds: 1,
            failureThreshold: 1,
            timeoutSeconds: 30,
          },
          readinessProbe: {
            exec: { command: ['cat', '/ready'] },
            periodSeconds: 1,
            failureThreshold: 1,
            timeoutSeconds: 30,
          },
        },
      ],
    });
    const id = engineID((await f.ready('probed')).status?.containerStatuses?.[0]?.containerID);
    await runProgram('docker', ['exec', id, 'rm', '/ready']);
    const unready = await f.until('probed', 'is unready', (pod) => !isPodReady(pod));
    t.equal(unready.status?.containerStatuses?.[0]?.restartCount, 0);
    await runProgram('docker', ['exec', id, 'rm', '/alive']);
    await f.until(
      'probed',
      'restarts',
      (pod) => pod.status?.containerStatuses?.[0]?.restartCount === 1 && isPodReady(pod),
    );
    await waitUntil('the events', async () => (await f.reasons('probed')).includes('Unhealthy'), patience);
    await f.remove('probed');
  });

  await t.test('terminates gracefully: hook, signal, and the time that the pod gives', async (t) => {
    await f.create('graceful', {
      terminationGracePeriodSeconds: 60,
      containers: [
        {
          name: 'c',
          ...shell(
            'trap "echo signal > /dev/termination-log; cat /hook >> /dev/termination-log; exit 7" TERM; while :; do sleep 0.1; done',
          ),
          lifecycle: { preStop: { exec: { command: ['sh', '-c', 'echo hook > /hook'] } } },
        },
      ],
    });
    await f.ready('graceful');
    const stop = new AbortController();
    const watch = client.watch(pods, { namespace, fieldSelector: 'metadata.name=graceful' }, stop.signal);
    const watching = Promise.withResolvers<void>();
    const last = (async () => {
      let seen: Pod | undefined;
      for await (const batch of watch)
        for (const event of batch) {
          watching.resolve();
          if (event.type === 'DELETED') return seen;
          if (event.type === 'MODIFIED') seen = event.object;
        }
      return seen;
    })();
    await watching.promise;
    await client.delete(pods, { name: 'graceful', namespace });
    const final = await last;
    stop.abort();
    t.match(final?.status?.containerStatuses?.[0]?.state?.terminated, {
      exitCode: 7,
      message: 'signal\nhook\n',
    });
    t.equal(final?.status?.phase, 'Failed');
  });

  await t.test('killed between any two steps, it neither doubles nor loses a container', async (t) => {
    const spec: Partial<PodSpec> = {
      initContainers: [{ name: 'i', ...shell('exit 0') }],
      containers: [
        { name: 'a', ...forever },
        { name: 'b', ...forever },
      ],
    };
    const kept: string[] = [];
    for (let round = 0; round < 6; round++) {
      const name = `cut-${round}`;
      await f.create(name, spec);
      if (round % 2 === 1) await client.delete(pods, { name: kept.pop()!, namespace });
      // Any moment is as good as another: that is the promise.
      await delay(150 + round * 170);
      await plane.kill('kubelet', 'SIGKILL');
      plane.start('kubelet');
      kept.push(name);
    }
    for (const name of kept) {
      const pod = await f.ready(name);
      t.same(
        pod.status?.containerStatuses?.map(({ restartCount }) => restartCount),
        [0, 0],
        `${name} was never restarted`,
      );
    }
    const expected = kept.flatMap(() => ['POD running', 'a running', 'b running', 'i exited']).sort();
    await waitUntil(
      'only the pods that were kept have containers',
      async () => JSON.stringify(await containers()) === JSON.stringify(expected),
      patience,
    );
    await waitUntil('and files', () => podFiles().length === kept.length, patience);
    const before = await runProgram('docker', [
      'ps',
      '--quiet',
      '--filter',
      `label=nekalakube.io/cluster=${cluster.clusterName}`,
    ]);
    await plane.kill('kubelet');
    t.same(await containers(), expected, 'a stopped kubelet leaves its pods alone');
    // Removed by force while nobody looks after it: the kubelet finds only containers without a pod.
    const [forced, ...others] = kept;
    await client.delete(pods, { name: forced!, namespace }, { gracePeriodSeconds: 0 });
    plane.start('kubelet');
    await waitUntil(
      'the forced pod is cleared away',
      async () => (await containers(forced)).length === 0,
      patience,
    );
    const after = await runProgram('docker', [
      'ps',
      '--quiet',
      '--filter',
      `label=nekalakube.io/cluster=${cluster.clusterName}`,
    ]);
    const survivors = after.stdout.split('\n').filter(Boolean);
    t.equal(survivors.length, others.length * 3);
    t.ok(
      survivors.every((id) => before.stdout.includes(id)),
      'the others are the same containers as before',
    );
    await Promise.all(others.map((name) => f.remove(name)));
    t.same(await containers(), []);
    await waitUntil('no files are left', () => podFiles().length === 0, patience);
  });
});
