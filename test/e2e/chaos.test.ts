import { join } from 'node:path';
import t from 'tap';
import { startCluster, type TestCluster } from '../lib/cluster.ts';
import { makeBusyboxImage } from '../lib/images.ts';
import { runProgram } from '../lib/program.ts';
import { random } from '../lib/random.ts';
import { waitUntil } from '../lib/wait-until.ts';

const victims = [
  'store',
  'apiserver',
  'scheduler',
  'controller-manager',
  'kubelet',
  'proxy',
  'supervisor',
] as const;
const kills = Number(process.env.NEKALAKUBE_KILLS ?? 10);
const seed = Number(process.env.NEKALAKUBE_SEED ?? Date.now() % 1_000_000);

/** Every victim `kills` times, in an order that the seed repeats. */
function order(): string[] {
  const next = random(seed);
  const list = victims.flatMap((name) => Array<string>(kills).fill(name));
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}

let cluster: TestCluster;
t.before(async () => {
  await makeBusyboxImage();
  cluster = await startCluster({ slot: 3 });
});
t.teardown(async () => cluster?.remove());

const lines = (text: string) => text.split('\n').filter(Boolean);

async function containers(...filters: string[]): Promise<string[]> {
  const label = `label=nekalakube.io/cluster=${cluster.name}`;
  const args = [label, ...filters].flatMap((filter) => ['--filter', filter]);
  return lines(
    (await runProgram('docker', ['ps', '--all', '--format', '{{.Names}} {{.State}}', ...args])).stdout,
  );
}

/** Creates objects as fast as they are acknowledged, and remembers which were. */
function writer(stopped: () => boolean): { acknowledged: string[]; done: Promise<void> } {
  const acknowledged: string[] = [];
  const run = async () => {
    for (let i = 0; !stopped(); i++) {
      const name = `written-${i}`;
      const result = await cluster.tryKubectl(['create', 'configmap', name, '--namespace', 'chaos'], {
        seconds: 20,
      });
      if (result.code === 0) acknowledged.push(name);
    }
  };
  return { acknowledged, done: run() };
}

t.test(
  `kill -9 of any process, ${kills} times each in random order, loses nothing`,
  { timeout: 1_100_000 },
  async (t) => {
    t.comment(`NEKALAKUBE_SEED=${seed}`);
    await cluster.kubectl(['create', 'namespace', 'chaos']);
    await cluster.kubectl([
      'apply',
      '--namespace',
      'chaos',
      '-f',
      join(import.meta.dirname, 'manifests', 'keep.yaml'),
    ]);
    await cluster.kubectl(['rollout', 'status', 'deployment/keep', '-n', 'chaos', '--timeout=60s']);
    let stop = false;
    const written = writer(() => stop);
    let round = 0;
    try {
      for (const [i, name] of order().entries()) {
        // A rollout is always under way: the next begins before the last can have ended.
        if (i % 2 === 0) {
          const env = `ROUND=${round + 1}`;
          await waitUntil(
            `rollout ${round + 1} is accepted`,
            async () =>
              (
                await cluster.tryKubectl(['set', 'env', 'deployment/keep', env, '-n', 'chaos'], {
                  seconds: 10,
                })
              ).code === 0,
          );
          round++;
        }
        const pid = await waitUntil(`${name} runs`, () => cluster.pidOf(name));
        process.kill(pid, 'SIGKILL');
        await waitUntil(`${name} is started again`, () => {
          const now = cluster.pidOf(name);
          return now !== undefined && now !== pid;
        });
      }
    } finally {
      stop = true;
      await written.done;
    }

    await t.test('the rollout ends right', async (t) => {
      await waitUntil(
        'the last rollout is complete',
        async () =>
          (await cluster.tryKubectl(['rollout', 'status', 'deployment/keep', '-n', 'chaos', '--timeout=60s']))
            .code === 0,
        { seconds: 120 },
      );
      await waitUntil(
        'two pods are left',
        async () => lines(await cluster.kubectl(['get', 'pods', '-n', 'chaos', '-o', 'name'])).length === 2,
      );
      const rounds = await cluster.kubectl([
        ...['get', 'pods', '-n', 'chaos', '-o'],
        'jsonpath={range .items[*]}{.spec.containers[0].env[0].value}{"\\n"}{end}',
      ]);
      t.same(lines(rounds), [String(round), String(round)]);
    });

    await t.test('nothing acknowledged is lost', async (t) => {
      t.ok(written.acknowledged.length > victims.length, `${written.acknowledged.length} were acknowledged`);
      const names = lines(await cluster.kubectl(['get', 'configmaps', '-n', 'chaos', '-o', 'name']));
      t.same(
        written.acknowledged.filter((name) => !names.includes(`configmap/${name}`)),
        [],
      );
    });

    await t.test('no container is doubled or left over', async (t) => {
      const pods = lines(
        await cluster.kubectl([
          ...['get', 'pods', '-n', 'chaos', '-o'],
          'jsonpath={range .items[*]}{.metadata.name}_chaos_{.metadata.uid}{"\\n"}{end}',
        ]),
      );
      await waitUntil('containers of replaced pods are gone', async () =>
        (await containers()).every((line) => pods.some((pod) => line.includes(pod))),
      );
      const running = (await containers('status=running')).map((line) =>
        line.split(' ')[0]!.replace(/_\d+$/, ''),
      );
      t.same(running.sort(), pods.flatMap((pod) => [`k8s_POD_${pod}`, `k8s_keep_${pod}`]).sort());
    });

    await t.test('each process runs once, and the namespace goes without a trace', async (t) => {
      for (const name of victims) t.ok(cluster.pidOf(name), name);
      const commands = lines((await runProgram('ps', ['-eo', 'args'])).stdout);
      for (const name of victims.filter((item) => item !== 'supervisor'))
        t.equal(
          commands.filter((line) => line.includes(`${name}/main.ts`) && line.includes(cluster.dataDir))
            .length,
          1,
          `one ${name}`,
        );
      await cluster.kubectl(['delete', 'namespace', 'chaos', '--timeout=90s'], { seconds: 100 });
      t.same(await containers(), []);
    });
  },
);
