import { addressAt, type CIDR, cidrContains, formatCIDR, parseCIDR } from '../../api/net.ts';
import type { ClusterConfig } from '../config.ts';

/** What preflight looks at; gathered by facts.ts. */
export interface MachineFacts {
  isRoot: boolean;
  cpus: number;
  memoryBytes: number;
  /** Active swap areas, by name. */
  swaps: string[];
  /** Programs of `requiredPrograms` that are not on PATH. */
  missingPrograms: string[];
  /** Wanted TCP ports that somebody else listens on. */
  portsInUse: number[];
  /** Controllers that the kernel has enabled, cgroup v1 or v2. */
  cgroupControllers: string[];
  /** Free bytes where the data directory is or will be. */
  freeDiskBytes: number;
  /** Routes of the machine that are not this cluster's own. */
  routes: CIDR[];
  hostnameResolves: boolean;
  engine:
    | { reachable: true; version: string; apiVersion: string; cgroupDriver: string }
    | { reachable: false; reason: string };
}

export interface Problem {
  /** Name for `--ignore-preflight-errors`, kubeadm's own where it has one. */
  name: string;
  severity: 'error' | 'warning';
  message: string;
  /** What to do about it. */
  remedy: string;
}

export const requiredPrograms = ['ip', 'iptables'] as const;

const minimum = { cpus: 2, memoryMB: 1700, diskBytes: 1024 ** 3, apiVersion: '1.41' };
const controllers = ['cpu', 'cpuset', 'memory', 'pids'] as const;

const olderThan = (version: string, wanted: string) => {
  const [a = 0, b = 0] = version.split('.').map(Number);
  const [x = 0, y = 0] = wanted.split('.').map(Number);
  return a < x || (a === x && b < y);
};

const overlap = (a: CIDR, b: CIDR) => cidrContains(a, addressAt(b, 0)) || cidrContains(b, addressAt(a, 0));

/**
 * What stands in the way of a node on this machine, in the words of kubeadm's preflight where it has them.
 * https://kubernetes.io/docs/reference/setup-tools/kubeadm/implementation-details/#preflight-checks
 */
export function preflightProblems(facts: MachineFacts, config: ClusterConfig): Problem[] {
  const problems: Problem[] = [];
  const error = (name: string, message: string, remedy: string) =>
    problems.push({ name, severity: 'error', message, remedy });
  if (!facts.isRoot)
    error('IsPrivilegedUser', 'user is not running as root', 'run it with sudo, or in a root shell');
  if (facts.cpus < minimum.cpus)
    error(
      'NumCPU',
      `the number of available CPUs ${facts.cpus} is less than the required ${minimum.cpus}`,
      'give the machine at least two cores',
    );
  const memoryMB = Math.floor(facts.memoryBytes / 1024 / 1024);
  if (memoryMB < minimum.memoryMB)
    error(
      'Mem',
      `the system RAM (${memoryMB} MB) is less than the minimum ${minimum.memoryMB} MB`,
      'give the machine at least 2 GB of memory',
    );
  if (facts.swaps.length)
    error(
      'Swap',
      `running with swap on is not supported. Please disable swap (${facts.swaps.join(', ')})`,
      "turn it off with 'swapoff -a' and take it out of /etc/fstab",
    );
  for (const port of facts.portsInUse)
    error(
      `Port-${port}`,
      `Port ${port} is in use`,
      `see who listens with 'ss -ltnp sport = :${port}', or choose other ports with --port-offset`,
    );
  for (const program of facts.missingPrograms)
    error(
      `FileExisting-${program}`,
      `${program} not found in system path`,
      `install the package ${program === 'ip' ? 'iproute2' : program}`,
    );
  const missing = controllers.filter((name) => !facts.cgroupControllers.includes(name));
  if (missing.length)
    error(
      'SystemVerification',
      `missing required cgroups: ${missing.join(' ')}`,
      'enable them on the kernel command line, for memory: cgroup_enable=memory',
    );
  checkEngine(facts, config, error);
  checkNetworks(facts, config, error);
  if (facts.freeDiskBytes < minimum.diskBytes)
    error(
      'DiskSpace',
      `only ${Math.floor(facts.freeDiskBytes / 1024 / 1024)} MB are free for the data directory, 1024 MB are required`,
      'free some space, or choose another place with --data-dir',
    );
  if (!facts.hostnameResolves)
    problems.push({
      name: 'Hostname',
      severity: 'warning',
      message: `hostname "${config.nodeName}" could not be reached`,
      remedy: 'add it to /etc/hosts if programs on this machine should find the node by name',
    });
  return problems;
}

type Report = (name: string, message: string, remedy: string) => void;

function checkEngine({ engine }: MachineFacts, config: ClusterConfig, error: Report): void {
  if (!engine.reachable)
    error(
      'CRI',
      `container runtime is not running: no Docker Engine answers at ${config.dockerHost}: ${engine.reason}`,
      "install and start Docker Engine 20.10 or newer ('apt-get install docker.io' on Debian and Ubuntu), or name its socket with --docker-host",
    );
  else if (olderThan(engine.apiVersion, minimum.apiVersion))
    error(
      'SystemVerification',
      `unsupported Docker version: ${engine.version} (API ${engine.apiVersion})`,
      'install Docker Engine 20.10 or newer',
    );
}

function checkNetworks(facts: MachineFacts, config: ClusterConfig, error: Report): void {
  for (const [flag, text] of [
    ['cluster-cidr', config.clusterCIDR],
    ['service-cidr', config.serviceCIDR],
  ] as const) {
    const taken = facts.routes.find((route) => overlap(route, parseCIDR(text)!));
    if (taken)
      error(
        'Networks',
        `--${flag} ${text} overlaps with the route to ${formatCIDR(taken)} of this machine`,
        `choose a free network with --${flag}`,
      );
  }
}

/** The names that `--ignore-preflight-errors` turns into warnings. */
export function isIgnored(problem: Problem, ignored: readonly string[]): boolean {
  return ignored.some((name) => ['all', problem.name.toLowerCase()].includes(name.toLowerCase()));
}

/** The report in kubeadm's form; undefined `fatal` when nothing stops the start. */
export function preflightReport(
  problems: readonly Problem[],
  ignored: readonly string[],
): { warnings: string[]; fatal: string | undefined } {
  const line = (label: string, problem: Problem) =>
    `\t[${label} ${problem.name}]: ${problem.message}\n\t\tto mend it: ${problem.remedy}`;
  const errors = problems.filter((item) => item.severity === 'error' && !isIgnored(item, ignored));
  const warnings = problems.filter((item) => !errors.includes(item));
  return {
    warnings: warnings.map((item) => line('WARNING', item)),
    fatal: errors.length
      ? [
          '[preflight] Some fatal errors occurred:',
          ...errors.map((item) => line('ERROR', item)),
          '[preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`',
        ].join('\n')
      : undefined,
  };
}
