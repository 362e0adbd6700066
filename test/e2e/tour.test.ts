import { join } from 'node:path';
import t from 'tap';
import { isPodReady } from '../../api/pods.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { KubectlVersion } from '../../deploy/kubectl-binary.ts';
import { type KubectlOptions, startCluster, type TestCluster } from '../lib/cluster.ts';
import { busyboxImage, makeBusyboxImage } from '../lib/images.ts';
import { runProgram, startProgram } from '../lib/program.ts';
import { waitUntil } from '../lib/wait-until.ts';

const manifest = (name: string) => join(import.meta.dirname, 'manifests', name);

let cluster: TestCluster;
t.before(async () => {
  await makeBusyboxImage();
  cluster = await startCluster({ slot: 0 });
});
t.teardown(async () => cluster?.remove());

/** Running containers of this cluster with a label, as Docker sees them. */
async function containers(...labels: string[]): Promise<string[]> {
  const filters = [`nekalakube.io/cluster=${cluster.name}`, ...labels].flatMap((label) => [
    '--filter',
    `label=${label}`,
  ]);
  const { stdout } = await runProgram('docker', ['ps', '--quiet', '--no-trunc', ...filters]);
  return stdout.split('\n').filter(Boolean);
}

/** Columns of a table that kubectl prints, without its header. */
const rows = (table: string): string[][] =>
  table
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/ {2,}/));

for (const version of ['1.32', '1.35'] satisfies KubectlVersion[]) {
  t.test(`the tour with kubectl ${version}`, { timeout: 600_000 }, async (t) => {
    const namespace = `tour-${version.replace('.', '')}`;
    const kubectl = (args: string[], options: KubectlOptions = {}) =>
      cluster.kubectl(['--namespace', namespace, ...args], { version, ...options });
    const waitFor = (what: string, condition: string, seconds = 60) =>
      kubectl(['wait', '--for', condition, what, `--timeout=${seconds}s`]);
    const jsonpath = (what: string[], path: string) => kubectl(['get', ...what, '-o', `jsonpath=${path}`]);

    await t.test('the node is Ready and names itself as kubectl expects', async (t) => {
      const table = await kubectl(['get', 'nodes']);
      t.match(table, /^NAME +STATUS +ROLES +AGE +VERSION\n/);
      t.match(rows(table)[0]?.slice(1, 3), ['Ready', 'control-plane']);
    });

    await t.test('a namespace is created', async (t) => {
      t.equal(await kubectl(['create', 'namespace', namespace]), `namespace/${namespace} created\n`);
    });

    await t.test('the Pod private-image-test-1 says SUCCESS and completes', async (t) => {
      t.equal(
        await kubectl(['apply', '-f', manifest('private-image-test-1.yaml')]),
        'pod/private-image-test-1 created\n',
      );
      await waitFor('pod/private-image-test-1', 'jsonpath={.status.phase}=Succeeded');
      t.equal(await kubectl(['logs', 'private-image-test-1']), 'SUCCESS\n');
      t.match(rows(await kubectl(['get', 'pod', 'private-image-test-1']))[0], [
        'private-image-test-1',
        '0/1',
        'Completed',
        '0',
      ]);
    });

    await t.test('the Job hello completes once', async (t) => {
      await kubectl(['apply', '-f', manifest('hello-job.yaml')]);
      await waitFor('job/hello', 'condition=complete');
      t.equal(await kubectl(['logs', 'job/hello']), 'Hello, Kubernetes!\n');
      t.match(await kubectl(['get', 'job', 'hello']), /hello +Complete +1\/1/);
    });

    for (const file of ['frontend-replicaset.yaml', 'frontend-replicaset.json']) {
      await t.test(`the ReplicaSet of ${file} runs three pods`, async (t) => {
        await kubectl(['apply', '-f', manifest(file)]);
        await waitFor('replicaset/frontend', 'jsonpath={.status.readyReplicas}=3');
        t.match(await kubectl(['get', 'rs', 'frontend']), /frontend +3 +3 +3 /);
        const pods = rows(await kubectl(['get', 'pods', '-l', 'tier=frontend']));
        t.equal(pods.length, 3);
        t.ok(pods.every((row) => row[2] === 'Running'));
        await kubectl(['delete', '-f', manifest(file)]);
        await waitUntil(
          'its pods are gone',
          async () => (await kubectl(['get', 'pods', '-l', 'tier=frontend', '-o', 'name'])) === '',
        );
      });
    }

    await t.test('the Deployment web rolls out, and watch shows its pods become ready', async (t) => {
      const watch = await cluster.startKubectl(
        ['-n', namespace, 'get', 'pods', '-l', 'app=web', '-o', 'wide', '-w', '-v=6'],
        {
          version,
        },
      );
      try {
        await waitUntil('it watches', () => /watch=true\S* .*200 OK/.test(watch.stderr()));
        await kubectl(['apply', '-f', manifest('web.yaml')]);
        t.match(
          await kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']),
          /deployment "web" successfully rolled out/,
        );
        await waitUntil('the watch shows three ready pods', () => {
          const lines = watch.stdout().split('\n');
          return (
            new Set(lines.filter((line) => / 1\/1 +Running /.test(line)).map((line) => line.split(' ')[0]))
              .size === 3
          );
        });
        t.match(watch.stdout(), /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE /);
        t.match(watch.stdout(), / 0\/1 +(Pending|ContainerCreating) /, 'it shows them on their way');
      } finally {
        await watch.stop();
      }
    });

    /** Names of pods that are not on their way out. */
    const livePods = async (): Promise<string[]> => {
      const { items } = JSON.parse(await kubectl(['get', 'pods', '-l', 'app=web', '-o', 'json'])) as {
        items: Pod[];
      };
      return items
        .filter((pod) => !pod.metadata?.deletionTimestamp && isPodReady(pod))
        .map((pod) => pod.metadata?.name ?? '');
    };
    const somePod = () => waitUntil('a pod is ready', async () => (await livePods())[0]);

    await t.test('describe tells of the pod and its events', async (t) => {
      const pod = await somePod();
      const text = await waitUntil('the events are told', async () => {
        const described = await kubectl(['describe', 'pod', pod]);
        return /Normal +Started /.test(described) ? described : undefined;
      });
      for (const part of [
        /^Name: +web-/m,
        /^Node: +\S+\/\d/m,
        /^Status: +Running/m,
        /^Controlled By: +ReplicaSet\/web-/m,
        /Readiness: +http-get http:\/\/:http\/ /,
        /Normal +Scheduled .*Successfully assigned/,
      ])
        t.match(text, part);
    });

    await t.test('logs -f shows what the container says, and what it says later', async (t) => {
      const pod = await somePod();
      const follow = await cluster.startKubectl(['-n', namespace, 'logs', '-f', pod], { version });
      try {
        await waitUntil('the first line', () => follow.stdout() === `serving as ${pod}\n`);
        await kubectl(['exec', pod, '--', 'sh', '-c', 'echo later > /proc/1/fd/1']);
        await waitUntil('the later line', () => follow.stdout() === `serving as ${pod}\nlater\n`);
        t.pass('both lines came');
      } finally {
        await follow.stop();
      }
    });

    await t.test('exec runs a command, with its output, input and exit code', async (t) => {
      const pod = await somePod();
      t.equal(await kubectl(['exec', pod, '--', 'hostname']), `${pod}\n`);
      t.equal(await kubectl(['exec', '-i', pod, '--', 'cat'], { input: 'through\n' }), 'through\n');
      const failed = await cluster.tryKubectl(['-n', namespace, 'exec', pod, '--', 'sh', '-c', 'exit 7'], {
        version,
      });
      t.equal(failed.code, 7);
      t.match(failed.stderr, 'command terminated with exit code 7');
    });

    await t.test('exec -it gives a terminal', async (t) => {
      const program = (await import('../../deploy/kubectl-binary.ts')).clientTool('kubectl', version);
      const terminal = startProgram(
        'script',
        [
          '--quiet',
          '--return',
          '--command',
          `${await program} -n ${namespace} exec -it ${await somePod()} -- sh`,
          '/dev/null',
        ],
        { environment: cluster.environment },
      );
      terminal.child.stdin?.write('tty && echo is-$((40+2))\n');
      await waitUntil('the shell answers', () => terminal.stdout().includes('is-42'));
      t.match(terminal.stdout(), /\/dev\/(pts\/\d|console)/);
      terminal.child.stdin?.write('exit 3\n');
      t.equal(await terminal.ended, 3);
    });

    const nodeIP = async () =>
      jsonpath(['nodes'], '{.items[0].status.addresses[?(@.type=="InternalIP")].address}');
    const nodePort = () => jsonpath(['service', 'web-nodeport'], '{.spec.ports[0].nodePort}');

    await t.test('the NodePort answers on the host, the name in a pod', async (t) => {
      const port = Number(await nodePort());
      t.ok(port >= cluster.nodePorts.first && port <= cluster.nodePorts.last);
      const url = `http://${await nodeIP()}:${port}/`;
      const answer = await waitUntil('the NodePort answers', async () => (await fetch(url)).text());
      t.match(answer, /^web-/);
      await kubectl(['apply', '-f', manifest('client.yaml')]);
      await waitFor('pod/client', 'condition=Ready');
      for (const name of ['web', `web.${namespace}.svc.cluster.local`]) {
        const args = ['exec', 'client', '--', 'wget', '-q', '-O', '-', `http://${name}/`];
        t.match(await waitUntil(`${name} answers`, () => kubectl(args)), /^web-/);
      }
    });

    await t.test('scale up and down', async (t) => {
      t.equal(await kubectl(['scale', 'deployment/web', '--replicas=5']), 'deployment.apps/web scaled\n');
      await waitFor('deployment/web', 'jsonpath={.status.readyReplicas}=5');
      await kubectl(['scale', 'deployment/web', '--replicas=3']);
      await waitUntil(
        'three pods are left',
        async () => rows(await kubectl(['get', 'pods', '-l', 'app=web'])).length === 3,
      );
      await waitUntil('the Deployment says so', async () =>
        /web +3\/3 +3 +3 /.test(await kubectl(['get', 'deployment', 'web'])),
      );
    });

    await t.test('no request fails while all pods are replaced', async (t) => {
      const url = `http://${await nodeIP()}:${await nodePort()}/`;
      const fromHost = { answered: 0, failed: [] as string[] };
      let stop = false;
      const host = (async () => {
        while (!stop) {
          try {
            const response = await fetch(url, {
              signal: AbortSignal.timeout(30_000),
              headers: { connection: 'close' },
            });
            if (!response.ok || !(await response.text()).startsWith('web-'))
              fromHost.failed.push(`code ${response.status}`);
            else fromHost.answered++;
          } catch (error) {
            fromHost.failed.push(String((error as Error).cause ?? error));
          }
        }
      })();
      const fromPod = await cluster.startKubectl(
        [
          '-n',
          namespace,
          'exec',
          'client',
          '--',
          'sh',
          '-c',
          'rm -f /tmp/stop; while [ ! -e /tmp/stop ]; do wget -q -O - http://web/ || echo FAILED; done',
        ],
        { version },
      );
      try {
        await waitUntil('both ask', () => fromHost.answered > 0 && fromPod.stdout().includes('web-'));
        await kubectl(['set', 'env', 'deployment/web', 'ROUND=2']);
        await kubectl(['rollout', 'status', 'deployment/web', '--timeout=90s']);
        await kubectl(['delete', 'pod', await somePod(), '--wait=true']);
        await kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
      } finally {
        stop = true;
        await host;
        await kubectl(['exec', 'client', '--', 'touch', '/tmp/stop']);
        await fromPod.ended;
      }
      t.same(fromHost.failed, [], 'from the host');
      t.ok(fromHost.answered > 20, `${fromHost.answered} requests from the host`);
      const answers = fromPod.stdout().trim().split('\n');
      t.same(
        answers.filter((line) => !line.startsWith('web-')),
        [],
        'from the pod',
      );
      t.ok(answers.length > 20, `${answers.length} requests from the pod`);
    });

    await t.test('a bad image stops the rollout, undo brings the good one back', async (t) => {
      t.equal(
        await kubectl(['set', 'image', 'deployment/web', 'web=nekalakube-test/no-such-image:1']),
        'deployment.apps/web image updated\n',
      );
      await waitUntil('a pod says that it cannot pull', async () =>
        /ErrImagePull|ImagePullBackOff/.test(await kubectl(['get', 'pods', '-l', 'app=web'])),
      );
      const stuck = await cluster.tryKubectl(
        ['-n', namespace, 'rollout', 'status', 'deployment/web', '--timeout=2s'],
        { version },
      );
      t.equal(stuck.code, 1);
      t.match(await kubectl(['get', 'deployment', 'web']), /web +[23]\/3/, 'the old pods serve on');
      t.equal(await kubectl(['rollout', 'undo', 'deployment/web']), 'deployment.apps/web rolled back\n');
      t.match(
        await kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']),
        /successfully rolled out/,
      );
      t.equal(
        await jsonpath(['deployment', 'web'], '{.spec.template.spec.containers[0].image}'),
        busyboxImage,
      );
      t.match(await kubectl(['rollout', 'history', 'deployment/web']), /REVISION +CHANGE-CAUSE/);
    });

    await t.test('a deleted pod is replaced', async (t) => {
      const pod = await somePod();
      t.match(await kubectl(['delete', 'pod', pod]), new RegExp(`^pod "${pod}" deleted`));
      await kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
      const names = await waitUntil('three pods are ready', async () => {
        const live = await livePods();
        return live.length === 3 ? live : undefined;
      });
      t.notOk(names.includes(pod));
    });

    await t.test('a container killed behind the back of the kubelet is restarted', async (t) => {
      const pod = await somePod();
      const [container] = await containers(
        `io.kubernetes.pod.name=${pod}`,
        'io.kubernetes.container.name=web',
      );
      t.ok(container, 'Docker knows it by the usual labels');
      await runProgram('docker', ['kill', container!]);
      await waitFor(`pod/${pod}`, 'jsonpath={.status.containerStatuses[0].restartCount}=1');
      await waitFor(`pod/${pod}`, 'condition=Ready');
      t.match(await kubectl(['get', 'pod', pod]), /1\/1 +Running +1 \(\S+ ago\)/);
    });

    await t.test('a container that fails its liveness probe is restarted', async (t) => {
      await kubectl(['apply', '-f', manifest('liveness.yaml')]);
      await waitFor('pod/liveness', 'condition=Ready');
      await kubectl(['exec', 'liveness', '--', 'rm', '/tmp/healthy']);
      await waitFor('pod/liveness', 'jsonpath={.status.containerStatuses[0].restartCount}=1');
      const told = await waitUntil('the events tell of it', async () => {
        const described = await kubectl(['describe', 'pod', 'liveness']);
        return /Killing .*failed liveness probe, will be restarted/.test(described) ? described : undefined;
      });
      t.match(told, /Unhealthy .*Liveness probe failed/);
    });

    await t.test('a pod that fits nowhere says why', async (t) => {
      await kubectl([
        'run',
        'huge',
        `--image=${busyboxImage}`,
        '--overrides={"spec":{"containers":[{"name":"huge","image":"x","resources":{"requests":{"cpu":"1000"}}}]}}',
      ]);
      await waitFor(
        'pod/huge',
        'jsonpath={.status.conditions[?(@.type=="PodScheduled")].reason}=Unschedulable',
      );
      t.match(
        await jsonpath(['pod', 'huge'], '{.status.conditions[?(@.type=="PodScheduled")].message}'),
        /^0\/1 nodes are available: 1 Insufficient cpu\./,
      );
      await kubectl(['delete', 'pod', 'huge']);
    });

    await t.test('deleting the namespace leaves no container', async (t) => {
      const label = `io.kubernetes.pod.namespace=${namespace}`;
      t.ok((await containers(label)).length > 3);
      t.match(await kubectl(['delete', 'namespace', namespace]), `namespace "${namespace}" deleted`);
      const all = await runProgram('docker', [
        'ps',
        '--all',
        '--quiet',
        '--filter',
        `label=nekalakube.io/cluster=${cluster.name}`,
        '--filter',
        `label=${label}`,
      ]);
      t.equal(all.stdout, '');
    });
  });
}
