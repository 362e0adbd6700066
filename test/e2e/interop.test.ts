import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import {
  AppsV1Api,
  CoreV1Api,
  Exec,
  KubeConfig,
  Log,
  type V1Pod,
  type V1Status,
  Watch,
} from '@kubernetes/client-node';
import t from 'tap';
import { clientTool, type KubectlVersion } from '../../deploy/kubectl-binary.ts';
import { startCluster, type TestCluster } from '../lib/cluster.ts';
import { busyboxImage, makeBusyboxImage } from '../lib/images.ts';
import { runProgram } from '../lib/program.ts';
import { waitUntil } from '../lib/wait-until.ts';

let cluster: TestCluster;
const chart = mkdtempSync(join(tmpdir(), 'nkube-e2e-chart-'));

t.before(async () => {
  await makeBusyboxImage();
  cluster = await startCluster({ slot: 4 });
});
t.teardown(async () => {
  await cluster?.remove();
  rmSync(chart, { recursive: true, force: true });
});

t.test(
  'the client library of Kubernetes for JavaScript lists, creates, watches, runs and reads logs',
  async (t) => {
    const config = new KubeConfig();
    config.loadFromFile(cluster.environment.KUBECONFIG!);
    const core = config.makeApiClient(CoreV1Api);
    const apps = config.makeApiClient(AppsV1Api);
    const namespace = 'default';
    t.equal((await core.listNode()).items.length, 1);
    const seen: string[] = [];
    const watch = await new Watch(config).watch(
      `/api/v1/namespaces/${namespace}/pods`,
      { labelSelector: 'app=library' },
      (phase: string, pod: V1Pod) => seen.push(`${phase} ${pod.status?.phase}`),
      () => {},
    );
    await apps.createNamespacedDeployment({
      namespace,
      body: {
        metadata: { name: 'library' },
        spec: {
          selector: { matchLabels: { app: 'library' } },
          template: {
            metadata: { labels: { app: 'library' } },
            spec: {
              terminationGracePeriodSeconds: 1,
              containers: [
                { name: 'main', image: busyboxImage, command: ['sh', '-c', 'echo started; exec sleep 3600'] },
              ],
            },
          },
        },
      },
    });
    await waitUntil('the watch sees it run', () => seen.includes('MODIFIED Running'));
    t.match(seen[0], /^ADDED /);
    watch.abort();
    const [pod] = (await core.listNamespacedPod({ namespace, labelSelector: 'app=library' })).items;
    const name = pod?.metadata?.name ?? '';
    // Running says that the container was started, not what it has come to.
    await waitUntil(
      'the log',
      async () => (await core.readNamespacedPodLog({ name, namespace })) === 'started\n',
    );
    const collect = () => {
      const chunks: string[] = [];
      const stream = new Writable({
        write(chunk: Buffer, _encoding, done) {
          chunks.push(chunk.toString());
          done();
        },
      });
      // Cutting a stream short on purpose is an error to it.
      stream.on('error', () => {});
      return { stream, text: () => chunks.join('') };
    };
    const log = collect();
    await new Log(config).log(namespace, name, 'main', log.stream, { follow: true });
    await waitUntil('the followed log', () => log.text() === 'started\n');
    const output = collect();
    const status = await new Promise<V1Status>((resolve, reject) => {
      new Exec(config)
        .exec(
          namespace,
          name,
          'main',
          ['sh', '-c', 'echo out; exit 4'],
          output.stream,
          null,
          null,
          false,
          resolve,
        )
        .catch(reject);
    });
    t.equal(output.text(), 'out\n');
    t.match(status, { status: 'Failure', reason: 'NonZeroExitCode' });
    await t.rejects(core.readNamespacedPod({ name: 'nothing', namespace }), { code: 404 });
    const ended = finished(log.stream);
    await apps.deleteNamespacedDeployment({ name: 'library', namespace });
    await ended;
    t.pass('the followed log ends with its container');
  },
);

function writeChart(): void {
  mkdirSync(join(chart, 'templates'), { recursive: true });
  writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: lab\nversion: 1.0.0\nappVersion: "1"\n');
  writeFileSync(join(chart, 'values.yaml'), 'replicas: 1\nword: hello\n');
  writeFileSync(
    join(chart, 'templates', 'all.yaml'),
    `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  word: {{ .Values.word | quote }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: { app: {{ .Release.Name }} }
  template:
    metadata:
      labels: { app: {{ .Release.Name }} }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: ${busyboxImage}
          command: ["sleep", "3600"]
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: { app: {{ .Release.Name }} }
  ports:
    - port: 80
`,
  );
}

for (const [version, helmVersion] of [
  ['1.32', 'v3'],
  ['1.35', 'v4'],
] as [KubectlVersion, string][]) {
  t.test(`helm ${helmVersion} installs, upgrades, rolls back and uninstalls a chart`, async (t) => {
    writeChart();
    const program = await clientTool('helm', version);
    const name = `lab-${helmVersion}`;
    const helm = async (...args: string[]) => {
      const result = await runProgram(program, args, {
        environment: {
          ...cluster.environment,
          HELM_CACHE_HOME: chart,
          HELM_CONFIG_HOME: chart,
          HELM_DATA_HOME: chart,
        },
      });
      if (result.code !== 0) throw new Error(`helm ${args.join(' ')}: ${result.stdout}${result.stderr}`);
      return result.stdout;
    };
    const word = () => cluster.kubectl(['get', 'configmap', name, '-o', 'jsonpath={.data.word}']);
    t.match(await helm('version', '--short'), new RegExp(`^${helmVersion}`));
    t.match(await helm('install', name, chart, '--wait', '--timeout', '60s'), 'STATUS: deployed');
    t.equal(await word(), 'hello');
    t.match(await cluster.kubectl(['get', 'deployment', name]), /1\/1/);
    await helm('upgrade', name, chart, '--set', 'word=changed,replicas=2', '--wait', '--timeout', '60s');
    t.equal(await word(), 'changed');
    t.match(await cluster.kubectl(['get', 'deployment', name]), /2\/2/);
    await helm('rollback', name, '1', '--wait', '--timeout', '60s');
    t.equal(await word(), 'hello');
    t.match(await helm('list'), new RegExp(`${name}\\s+default\\s+3\\s`));
    await helm('uninstall', name, '--wait', '--timeout', '60s');
    t.equal((await cluster.tryKubectl(['get', 'configmap', name])).code, 1);
  });
}
