import { readFile, statfs } from 'node:fs/promises';
import { uptime } from 'node:os';

/** Cumulative counters and current levels of the machine. Times are RFC 3339. */
export interface NodeUsage {
  time: string;
  startTime: string;
  cpuNanoseconds: number;
  memoryTotalBytes: number;
  memoryUsageBytes: number;
  memoryWorkingSetBytes: number;
  memoryRSSBytes: number;
  network?: { name: string; rxBytes: number; rxErrors: number; txBytes: number; txErrors: number };
  filesystem: {
    capacityBytes: number;
    availableBytes: number;
    usedBytes: number;
    inodes: number;
    inodesFree: number;
  };
}

/** USER_HZ: 100 on every architecture that Node runs on. */
const nanosecondsPerTick = 10_000_000;

/** Time that all CPUs were busy since boot, from `/proc/stat`. proc(5) */
export function parseBusyTime(stat: string): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] =
    /^cpu +(.*)$/m.exec(stat)?.[1]?.split(' ').map(Number) ?? [];
  return (user + nice + system + irq + softirq + steal) * nanosecondsPerTick;
}

/** Bytes by field of `/proc/meminfo`. */
export function parseMemory(meminfo: string): {
  total: number;
  free: number;
  inactiveFile: number;
  anonymous: number;
} {
  const field = (name: string) =>
    Number(new RegExp(`^${name.replace(/[()]/g, '\\$&')}: +(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? 0) * 1024;
  return {
    total: field('MemTotal'),
    free: field('MemFree'),
    inactiveFile: field('Inactive(file)'),
    anonymous: field('AnonPages'),
  };
}

/** Counters of the interface with the default route, from `/proc/net/route` and `/proc/net/dev`. */
export function parseNetwork(routes: string, devices: string): NodeUsage['network'] {
  const name = routes
    .split('\n')
    .map((line) => line.split('\t'))
    .find(([, destination]) => destination === '00000000')?.[0];
  const line = devices.split('\n').find((one) => one.trim().startsWith(`${name}:`));
  if (!name || !line) return undefined;
  const [rxBytes = 0, , rxErrors = 0, , , , , , txBytes = 0, , txErrors = 0] = line
    .slice(line.indexOf(':') + 1)
    .trim()
    .split(/\s+/)
    .map(Number);
  return { name, rxBytes, rxErrors, txBytes, txErrors };
}

/** Looks at this machine; `directory` is on the file system that pods use. */
export async function readNodeUsage(directory: string): Promise<NodeUsage> {
  const [stat, meminfo, routes, devices, files] = await Promise.all([
    readFile('/proc/stat', 'utf8'),
    readFile('/proc/meminfo', 'utf8'),
    readFile('/proc/net/route', 'utf8'),
    readFile('/proc/net/dev', 'utf8'),
    statfs(directory),
  ]);
  const now = Date.now();
  const memory = parseMemory(meminfo);
  const memoryUsageBytes = memory.total - memory.free;
  return {
    time: new Date(now).toISOString(),
    startTime: new Date(now - uptime() * 1000).toISOString(),
    cpuNanoseconds: parseBusyTime(stat),
    memoryTotalBytes: memory.total,
    memoryUsageBytes,
    memoryWorkingSetBytes: Math.max(0, memoryUsageBytes - memory.inactiveFile),
    memoryRSSBytes: memory.anonymous,
    network: parseNetwork(routes, devices),
    filesystem: {
      capacityBytes: files.blocks * files.bsize,
      availableBytes: files.bavail * files.bsize,
      usedBytes: (files.blocks - files.bfree) * files.bsize,
      inodes: files.files,
      inodesFree: files.ffree,
    },
  };
}
