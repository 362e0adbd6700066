// What a cluster on this machine costs. Usage: cluster-bench.ts
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { clientTool } from '../../deploy/kubectl-binary.ts';
import { startCluster, type TestCluster } from '../lib/cluster.ts';
import { busyboxImage, makeBusyboxImage } from '../lib/images.ts';

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

async function nkube(cluster: TestCluster, ...args: string[]): Promise<void> {
  const result = await cluster.nkube(args);
  if (result.code !== 0) throw new Error(`nkube ${args.join(' ')}: ${result.stderr}`);
}

/** Seconds that `nkube up` takes after `down`, `rounds` times, and when the cluster is up already. */
async function warmUps(cluster: TestCluster, rounds: number): Promise<{ seconds: number[]; again: number }> {
  const seconds: number[] = [];
  for (let i = 0; i < rounds; i++) {
    await nkube(cluster, 'down');
    seconds.push(await timed(() => nkube(cluster, 'up')));
  }
  return { seconds, again: await timed(() => nkube(cluster, 'up')) };
}

const pod = (name: string) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image: busyboxImage, command: ['sleep', '3600'] }],
    },
  });

/** Seconds from the start of `kubectl apply` to the condition Ready, for one pod after another. */
async function applyToReady(cluster: TestCluster, pods: number): Promise<number[]> {
  await clientTool('kubectl', '1.35');
  const seconds: number[] = [];
  for (let i = 0; i < pods; i++) {
    const name = `bench-${i}`;
    seconds.push(
      await timed(async () => {
        await cluster.kubectl(['apply', '-f', '-'], { input: pod(name) });
        await cluster.kubectl(['wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s']);
      }),
    );
  }
  await cluster.kubectl(['delete', 'pods', ...seconds.map((_, i) => `bench-${i}`), '--wait=false']);
  return seconds;
}

interface Use {
  name: string;
  /** Proportional set size: pages that processes share are counted once among them. Bytes. */
  pss: number;
  rss: number;
  ticks: number;
}

function useOf(pid: number, name: string): Use {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (key: string) =>
    Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0) * 1024;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { name, pss: field('Pss'), rss: field('Rss'), ticks: Number(fields[11]) + Number(fields[12]) };
}

/** All processes of a cluster, found by its data directory on their command lines. */
function clusterUse(cluster: TestCluster): Use[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .flatMap((entry) => {
      try {
        const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8');
        if (!command.includes(cluster.dataDir) || command.startsWith('script')) return [];
        const name =
          /([\w-]+)\/main\.ts/.exec(command)?.[1] ?? (command.startsWith('/bin/sh') ? 'guard' : 'supervisor');
        return [useOf(Number(entry), name)];
      } catch {
        return []; // ended meanwhile
      }
    });
}

const hertz = 100;

/** Memory and processor use of a cluster that has nothing to do, measured over `seconds`. */
export async function idleUse(
  cluster: TestCluster,
  seconds: number,
): Promise<{ memoryMiB: number; rssMiB: number; cpuPercent: number; byProcess: string[] }> {
  await cluster.kubectl(['wait', '--for=delete', 'pods', '--all', '--timeout=60s']);
  // Collectors and caches settle; there is no event that tells when.
  await delay(10_000);
  const before = clusterUse(cluster);
  await delay(seconds * 1000);
  const after = clusterUse(cluster);
  const MiB = (bytes: number) => bytes / 1024 / 1024;
  const sum = (key: 'pss' | 'rss' | 'ticks', list: Use[]) =>
    list.reduce((total, item) => total + item[key], 0);
  const percent = (ticks: number) => ((ticks / hertz) * 100) / seconds;
  return {
    memoryMiB: MiB(sum('pss', after)),
    rssMiB: MiB(sum('rss', after)),
    cpuPercent: percent(sum('ticks', after) - sum('ticks', before)),
    byProcess: after.map((item) => {
      const cpu = percent(item.ticks - (before.find((other) => other.name === item.name)?.ticks ?? 0));
      return `${item.name}: PSS ${MiB(item.pss).toFixed(0)} MiB, RSS ${MiB(item.rss).toFixed(0)} MiB, ${cpu.toFixed(2)} % of a core`;
    }),
  };
}

if (import.meta.main) {
  await makeBusyboxImage();
  let cluster: TestCluster | undefined;
  try {
    const first = await timed(async () => {
      cluster = await startCluster({ slot: 6 });
    });
    const target = cluster!;
    const print = (line: string) => process.stdout.write(`${line}\n`);
    print(`up, new data directory: ${first.toFixed(2)} s`);
    const { seconds, again } = await warmUps(target, 5);
    print(`up after down: ${seconds.map((value) => value.toFixed(2)).join(' ')} s`);
    print(`up when up: ${again.toFixed(2)} s`);
    const ready = await applyToReady(target, 30);
    print(`apply to Ready: p50 ${median(ready).toFixed(2)} s, worst ${Math.max(...ready).toFixed(2)} s`);
    const idle = await idleUse(target, 60);
    print(
      `idle: PSS ${idle.memoryMiB.toFixed(0)} MiB, RSS ${idle.rssMiB.toFixed(0)} MiB, ${idle.cpuPercent.toFixed(2)} % of a core`,
    );
    for (const line of idle.byProcess) print(`  ${line}`);
  } finally {
    await cluster?.remove();
  }
}
