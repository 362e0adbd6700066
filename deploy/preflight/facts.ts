import { lookup } from 'node:dns/promises';
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, totalmem } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { type CIDR, parseCIDR } from '../../api/net.ts';
import type { ClusterConfig } from '../config.ts';
import { DockerApi } from '../engine/docker-api.ts';
import { run } from '../run.ts';
import { type MachineFacts, requiredPrograms } from './checks.ts';

/** The path of a program on PATH (and in /usr/sbin, which users' PATHs often lack). */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => path.startsWith('/') && existsSync(path));
}

function portInUse(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE'));
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(false)));
  });
}

/** Enabled controllers of cgroup v1 (/proc/cgroups) and v2 (cgroup.controllers); see cgroups(7). */
function cgroupControllers(): string[] {
  const unified = '/sys/fs/cgroup/cgroup.controllers';
  // cpuset's and cpu's v1 rows are enabled on v2 too, so both tell the same there.
  if (existsSync(unified)) return readFileSync(unified, 'utf8').trim().split(/\s+/);
  return readFileSync('/proc/cgroups', 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => line.split('\t'))
    .filter((fields) => fields[3] === '1')
    .map((fields) => fields[0]!);
}

/** Networks that this machine already routes, the default route left out. */
async function routes(): Promise<CIDR[]> {
  if (!findProgram('ip')) return [];
  const result = await run('ip', ['-4', '-json', 'route', 'show', 'table', 'all']);
  if (result.code !== 0) return [];
  const entries = JSON.parse(result.stdout || '[]') as { dst?: string; type?: string }[];
  return entries
    .filter((entry) => entry.dst && entry.dst !== 'default' && !entry.dst.startsWith('127.'))
    .map((entry) => parseCIDR(entry.dst!.includes('/') ? entry.dst! : `${entry.dst}/32`))
    .filter((cidr) => cidr !== undefined);
}

function freeBytes(path: string): number {
  const existing = existsSync(path) ? path : dirname(path);
  if (!existsSync(existing)) return freeBytes(dirname(path));
  const { bavail, bsize } = statfsSync(existing);
  return bavail * bsize;
}

export interface FactOptions {
  config: ClusterConfig;
  dataDir: string;
  /** Ports to look at: those of processes that do not run yet. */
  ports: readonly number[];
  /** A cluster that ran before finds its own routes: no conflict. */
  ownsRoutes: boolean;
}

export async function gatherFacts({
  config,
  dataDir,
  ports,
  ownsRoutes,
}: FactOptions): Promise<MachineFacts> {
  const used = await Promise.all(ports.map(portInUse));
  const [routed, engine, hostnameResolves] = await Promise.all([
    ownsRoutes ? [] : routes(),
    engineFacts(config.dockerHost),
    lookup(config.nodeName).then(
      () => true,
      () => false,
    ),
  ]);
  return {
    isRoot: process.geteuid?.() === 0,
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    swaps: readFileSync('/proc/swaps', 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(/\s+/)[0]!),
    missingPrograms: requiredPrograms.filter((name) => !findProgram(name)),
    portsInUse: ports.filter((_, index) => used[index]),
    cgroupControllers: cgroupControllers(),
    freeDiskBytes: freeBytes(dataDir),
    routes: routed,
    hostnameResolves,
    engine,
  };
}

async function engineFacts(dockerHost: string): Promise<MachineFacts['engine']> {
  try {
    const docker = new DockerApi(dockerHost);
    const [version, info] = await Promise.all([docker.version(), docker.info()]);
    return {
      reachable: true,
      version: version.Version,
      apiVersion: version.ApiVersion,
      cgroupDriver: info.CgroupDriver,
    };
  } catch (error) {
    return { reachable: false, reason: (error as Error).message };
  }
}
