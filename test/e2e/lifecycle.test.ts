import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { acquireLock } from '../../deploy/lock.ts';
import { describeCluster, type TestCluster } from '../lib/cluster.ts';
import { makeBusyboxImage } from '../lib/images.ts';
import { runProgram } from '../lib/program.ts';
import { waitUntil } from '../lib/wait-until.ts';

const processes = ['store', 'apiserver', 'controller-manager', 'scheduler', 'kubelet', 'proxy'] as const;
const slot = 1;

let cluster: TestCluster;
t.before(async () => {
  await makeBusyboxImage();
  cluster = await describeCluster({ slot });
});
t.teardown(async () => cluster?.remove());

const lines = (text: string) => text.split('\n').filter(Boolean);

/** Command lines of live processes, by pid. */
function commandLines(): Map<number, string> {
  const found = new Map<number, string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    try {
      found.set(Number(pid), readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
    } catch {
      // ended meanwhile
    }
  return found;
}

/** Everything on this machine that bears a mark of the cluster. */
async function traces(): Promise<string[]> {
  const label = `label=nekalakube.io/cluster=${cluster.name}`;
  const own = (text: string, mark: RegExp) => lines(text).filter((line) => mark.test(line));
  const out = async (program: string, args: string[]) => (await runProgram(program, args)).stdout;
  return [
    ...lines(await out('docker', ['ps', '--all', '--format', 'container {{.Names}}', '--filter', label])),
    ...lines(await out('docker', ['network', 'ls', '--format', 'network {{.Name}}', '--filter', label])),
    ...own(await out('ip', ['-o', 'link']), new RegExp(` nkt${slot}[:@]`)),
    ...own(
      await out('ip', ['-4', 'route', 'show', 'table', 'all']),
      new RegExp(`\\b10\\.(${210 + slot}|${230 + slot})\\.`),
    ),
    ...own(await out('iptables-save', []), new RegExp(`nekalakube:${cluster.name}"?( |$)`)),
    ...own(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(cluster.dataDir)),
    ...[...commandLines().values()].filter((command) => command.includes(cluster.dataDir)),
    ...(existsSync(cluster.dataDir) && readdirSync(cluster.dataDir).length ? [cluster.dataDir] : []),
  ];
}

/** Chains of the packet filter that only this cluster's rules lead to. */
async function ownChains(): Promise<string[]> {
  const saved = (await runProgram('iptables-save', [])).stdout;
  const rules = lines(saved).filter((line) => line.includes(`nekalakube:${cluster.name}`));
  return [...new Set(rules.flatMap((rule) => /^-A (NKUBE-\S+)/.exec(rule)?.[1] ?? []))];
}

const pids = () => processes.map((name) => cluster.pidOf(name));

/** Kills every process of the cluster at the same time, the supervisor and its guard first. */
function killAll(): void {
  const commands = [...commandLines()].filter(
    ([pid, command]) => pid !== process.pid && command.includes(cluster.dataDir),
  );
  const supervisors = commands.filter(([, command]) => command.includes('supervisor.ts'));
  for (const [pid] of [...supervisors, ...commands.filter((item) => !supervisors.includes(item))])
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      // It has ended meanwhile, with the one that had started it.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
}

const up = () => cluster.nkube(['up', ...cluster.upFlags]);

const readyPods = async () =>
  lines(await cluster.kubectl(['get', 'pods', '-l', 'app=keep', '--no-headers'])).filter((line) =>
    / 1\/1 +Running /.test(line),
  );

const containerIDs = async () =>
  lines(
    (
      await runProgram('docker', [
        'ps',
        '--quiet',
        '--filter',
        `label=nekalakube.io/cluster=${cluster.name}`,
        '--filter',
        'label=io.kubernetes.container.name=keep',
      ])
    ).stdout,
  ).sort();

t.test('nothing of the cluster is there before', async (t) => {
  t.same(await traces(), []);
});

t.test('a port in use stops the start with a message as kubeadm’s and exit code 2', async (t) => {
  const offset = Number(cluster.upFlags[cluster.upFlags.indexOf('--port-offset') + 1]);
  const port = 6443 + offset;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, resolve));
  const result = await up();
  await new Promise((resolve) => server.close(resolve));
  t.equal(result.code, 2);
  t.match(result.stderr, `[ERROR Port-${port}]: Port ${port} is in use`);
  t.match(result.stderr, '--ignore-preflight-errors');
  t.same(await traces(), [], 'nothing was made');
});

t.test('flags that cannot work are refused by name with exit code 1', async (t) => {
  for (const [flags, message] of [
    [['--service-cidr', 'nonsense'], '--service-cidr nonsense'],
    [['--no-such-flag'], "unknown option '--no-such-flag'"],
    [['--port-offset', 'x'], "argument 'x' is invalid"],
  ] as const) {
    const result = await cluster.nkube(['up', ...flags]);
    t.equal(result.code, 1);
    t.match(result.stderr, message);
  }
  const unknown = await cluster.nkube(['upp']);
  t.equal(unknown.code, 1);
  t.match(unknown.stderr, "unknown command 'upp'");
});

t.test('up brings a cluster, status and doctor say that all is well', async (t) => {
  const result = await up();
  t.equal(result.code, 0, result.stderr);
  t.match(result.stdout, /is Ready, DNS answers/);
  t.ok((await traces()).length > 10);
  const status = await cluster.nkube(['status']);
  t.equal(status.code, 0, status.stdout);
  for (const name of processes) t.match(status.stdout, new RegExp(`^${name} +running `, 'm'));
  const json = JSON.parse((await cluster.nkube(['status', '-o', 'json'])).stdout) as { well: boolean };
  t.equal(json.well, true);
  const doctor = await cluster.nkube(['doctor']);
  t.equal(doctor.code, 0, doctor.stdout);
  t.match((await cluster.nkube(['logs', 'apiserver', '--tail', '1'])).stdout, /^\{.*\}\n$/);
  const logs = await cluster.nkube(['logs', 'nothing']);
  t.equal(logs.code, 1);
  t.match(logs.stderr, 'there are: apiserver, controller-manager');
});

t.test('a second up changes nothing', async (t) => {
  const before = { pids: pids(), config: readFileSync(join(cluster.dataDir, 'config.yaml'), 'utf8') };
  const result = await up();
  t.equal(result.code, 0, result.stderr);
  t.match(result.stdout, 'was up already');
  t.same({ pids: pids(), config: readFileSync(join(cluster.dataDir, 'config.yaml'), 'utf8') }, before);
});

t.test('a change that objects already depend on is refused, one that needs a restart says so', async (t) => {
  const impossible = await cluster.nkube(['up', '--service-cidr', '10.250.0.0/16']);
  t.equal(impossible.code, 1);
  t.match(impossible.stderr, /--service-cidr.*cannot be changed once the cluster exists/);
  const restart = await cluster.nkube(['up', '--service-node-port-range', '29000-29010']);
  t.equal(restart.code, 1);
  t.match(restart.stderr, /--service-node-port-range: cannot be changed while the cluster runs/);
});

t.test('two commands do not work on one cluster at the same time', async (t) => {
  const lock = await acquireLock(`up:${cluster.dataDir}`);
  const result = await up();
  await lock?.release();
  t.equal(result.code, 1);
  t.match(result.stderr, 'another nkube up or down works on');
});

t.test('after kill -9 of every process, up finds all objects, and pods went on running', async (t) => {
  await cluster.kubectl(['create', 'configmap', 'kept', '--from-literal=a=b']);
  await cluster.kubectl(['apply', '-f', join(import.meta.dirname, 'manifests', 'keep.yaml')]);
  await cluster.kubectl(['rollout', 'status', 'deployment/keep', '--timeout=60s']);
  const before = await containerIDs();
  t.equal(before.length, 2);
  killAll();
  await waitUntil('they have ended', () => pids().every((pid) => pid === undefined));
  const result = await up();
  t.equal(result.code, 0, result.stderr);
  t.equal(await cluster.kubectl(['get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}']), 'b');
  await waitUntil('both pods are ready', async () => (await readyPods()).length === 2);
  t.same(await containerIDs(), before, 'the same containers');
});

t.test('down stops processes and containers, up brings both back', async (t) => {
  const down = await cluster.nkube(['down']);
  t.equal(down.code, 0, down.stderr);
  t.same(await containerIDs(), []);
  t.same(
    [...commandLines().values()].filter((command) => command.includes(cluster.dataDir)),
    [],
  );
  const status = await cluster.nkube(['status']);
  t.equal(status.code, 1, 'status tells by its exit code');
  t.match(status.stdout, /^apiserver +stopped/m);
  const result = await up();
  t.equal(result.code, 0, result.stderr);
  // Until the kubelet has looked at its pods, the API server knows only what they were before.
  await waitUntil('both containers run again', async () => (await containerIDs()).length === 2);
  await waitUntil('both pods are ready again', async () => (await readyPods()).length === 2);
  t.equal(await cluster.kubectl(['get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}']), 'b');
});

t.test('a backup brings back the objects that were there, and pods follow', async (t) => {
  const backup = join(cluster.dataDir, 'backup.db');
  const saved = await cluster.nkube(['store', 'snapshot', 'save', backup]);
  t.equal(saved.code, 0, saved.stderr);
  t.match((await cluster.nkube(['store', 'snapshot', 'status', backup])).stdout, /^hash .* \d+ keys/);
  await cluster.kubectl(['delete', 'configmap', 'kept']);
  await cluster.kubectl(['delete', 'deployment', 'keep']);
  await cluster.kubectl(['create', 'configmap', 'later']);
  await waitUntil('the containers are gone', async () => (await containerIDs()).length === 0);
  const seen = await cluster.kubectl([
    'get',
    'configmap',
    'later',
    '-o',
    'jsonpath={.metadata.resourceVersion}',
  ]);

  const restore = ['store', 'snapshot', 'restore', backup];
  const running = await cluster.nkube([...restore, '--replace']);
  t.equal(running.code, 1);
  t.match(running.stderr, /the cluster runs \(supervisor.*store\): stop it with 'nkube down'/);
  t.equal((await cluster.nkube(['down'])).code, 0);
  const unasked = await cluster.nkube(restore);
  t.equal(unasked.code, 1);
  t.match(unasked.stderr, 'is not empty: --replace puts its data aside');
  const restored = await cluster.nkube([...restore, '--replace']);
  t.equal(restored.code, 0, restored.stderr);

  const result = await up();
  t.equal(result.code, 0, result.stderr);
  t.equal(await cluster.kubectl(['get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}']), 'b');
  t.equal((await cluster.tryKubectl(['get', 'configmap', 'later'])).code, 1);
  await waitUntil('both containers run again', async () => (await containerIDs()).length === 2);
  await waitUntil('both pods are ready again', async () => (await readyPods()).length === 2);
  const watch = await cluster.tryKubectl([
    'get',
    '--raw',
    `/api/v1/configmaps?watch=1&resourceVersion=${seen}`,
  ]);
  t.match(watch.stderr, /Expired.*too old resource version/, 'who saw later revisions is told to list anew');
  rmSync(backup);
});

t.test('after a reboot, up brings pods and their network back', async (t) => {
  // What a reboot takes away: processes, containers' processes, routes and packet filter rules.
  killAll();
  const running = await containerIDs();
  const all = lines(
    (await runProgram('docker', ['ps', '--quiet', '--filter', `label=nekalakube.io/cluster=${cluster.name}`]))
      .stdout,
  );
  t.ok(all.length > running.length);
  await runProgram('docker', ['kill', ...all]);
  await runProgram('ip', ['route', 'del', 'local', `10.${230 + slot}.0.0/16`, 'dev', 'lo']);
  const saved = (await runProgram('iptables-save', [])).stdout;
  for (const rule of lines(saved).filter((line) => line.includes(`nekalakube:${cluster.name}`)))
    for (const table of ['filter', 'nat'])
      await runProgram('iptables', [
        '-t',
        table,
        ...rule.replaceAll('"', '').replace(/^-A/, '-D').split(' '),
      ]);
  const result = await up();
  t.equal(result.code, 0, result.stderr);
  await waitUntil('both containers run again', async () => (await containerIDs()).length === 2, {
    seconds: 90,
  });
  await waitUntil('both pods are ready again', async () => (await readyPods()).length === 2);
  const address = await cluster.kubectl(['get', 'service', 'keep', '-o', 'jsonpath={.spec.clusterIP}']);
  t.match(
    await waitUntil('the service answers', async () => (await fetch(`http://${address}/`)).text()),
    /^keep-/,
  );
});

t.test('an image is loaded from a tar, and one that is nowhere is refused', async (t) => {
  const tar = join(cluster.dataDir, 'image.tar');
  await runProgram('docker', ['save', '--output', tar, 'nekalakube-test/busybox:1']);
  const result = await cluster.nkube(['image', 'load', tar]);
  t.equal(result.code, 0, result.stderr);
  t.match(result.stdout, 'nekalakube-test/busybox:1');
  const missing = await cluster.nkube(['image', 'load', 'nekalakube-test/nowhere:1']);
  t.equal(missing.code, 1);
  t.match(missing.stderr, 'neither a file nor an image');
  await runProgram('rm', [tar]);
});

t.test('purge leaves nothing, and a second one finds nothing to do', async (t) => {
  const chains = await ownChains();
  t.ok(chains.length > 0);
  const result = await cluster.nkube(['down', '--purge']);
  t.equal(result.code, 0, result.stderr);
  t.same(await traces(), []);
  const left = (await runProgram('iptables-save', [])).stdout;
  t.same(
    chains.filter((chain) => left.includes(`:${chain} `)),
    [],
  );
  t.notOk(existsSync(cluster.dataDir));
  const again = await cluster.nkube(['down', '--purge']);
  t.equal(again.code, 0, again.stderr);
  t.match(again.stdout, 'nothing to do');
});
