import { readFile, statfs } from 'node:fs/promises';
import { arch, cpus, networkInterfaces, release, totalmem } from 'node:os';
import type { NodeSystemInfo } from '../../api/types/core-v1.ts';
import { version } from '../../client/version.ts';

/** What the machine has. */
export interface NodeCapacity {
  cpus: number;
  memoryBytes: number;
  ephemeralStorageBytes: number;
  pods: number;
}

const goArchitectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** This machine's architecture as Go and Kubernetes name it. */
export const goArchitecture = (): string => goArchitectures[arch()] ?? arch();

export async function readCapacity(rootDirectory: string, pods: number): Promise<NodeCapacity> {
  const { bsize, blocks } = await statfs(rootDirectory);
  return { cpus: cpus().length, memoryBytes: totalmem(), ephemeralStorageBytes: bsize * blocks, pods };
}

async function readTrimmed(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    // Not every machine has every one of these files, and the API takes an empty text.
    return '';
  }
}

/** The distribution's name as in /etc/os-release. */
export const prettyName = (osRelease: string): string =>
  /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? 'Linux';

/** `status.nodeInfo` of this machine. */
export async function readSystemInfo(dockerVersion: string): Promise<NodeSystemInfo> {
  const [machineID, bootID, productUUID, osRelease] = await Promise.all([
    readTrimmed('/etc/machine-id'),
    readTrimmed('/proc/sys/kernel/random/boot_id'),
    readTrimmed('/sys/class/dmi/id/product_uuid'),
    readTrimmed('/etc/os-release'),
  ]);
  return {
    machineID,
    systemUUID: productUUID || machineID,
    bootID,
    kernelVersion: release(),
    osImage: prettyName(osRelease),
    containerRuntimeVersion: `docker://${dockerVersion}`,
    kubeletVersion: version.gitVersion,
    kubeProxyVersion: '',
    operatingSystem: 'linux',
    architecture: goArchitecture(),
  };
}

/** The address by which this machine would reach others: the first global IPv4 one, or loopback. */
export function defaultNodeIP(
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): string {
  for (const [name, addresses] of Object.entries(interfaces)) {
    if (/^(docker|br-|veth|nkube)/.test(name)) continue;
    const found = addresses?.find(({ family, internal }) => family === 'IPv4' && !internal);
    if (found) return found.address;
  }
  return '127.0.0.1';
}

/** How much is left of what pods share, for the pressure conditions. */
export interface Headroom {
  memoryAvailableBytes: number;
  diskAvailableBytes: number;
  diskTotalBytes: number;
  inodesFree: number;
  inodesTotal: number;
  pidsLeft: number;
}

/** MemAvailable of /proc/meminfo in bytes. */
export const parseMemAvailable = (meminfo: string): number =>
  Number(/^MemAvailable:\s+(\d+) kB$/m.exec(meminfo)?.[1] ?? 0) * 1024;

export async function readHeadroom(rootDirectory: string): Promise<Headroom> {
  const [meminfo, disk, pidMax, loadavg] = await Promise.all([
    readTrimmed('/proc/meminfo'),
    statfs(rootDirectory),
    readTrimmed('/proc/sys/kernel/pid_max'),
    readTrimmed('/proc/loadavg'),
  ]);
  const processes = Number(loadavg.split(' ')[3]?.split('/')[1] ?? 0);
  return {
    memoryAvailableBytes: parseMemAvailable(meminfo),
    diskAvailableBytes: disk.bavail * disk.bsize,
    diskTotalBytes: disk.blocks * disk.bsize,
    inodesFree: disk.ffree,
    inodesTotal: disk.files,
    pidsLeft: Number(pidMax) - processes,
  };
}
