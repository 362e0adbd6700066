import type Docker from 'dockerode';
import { engine } from './docker-errors.ts';
import { apiTime } from './docker-state.ts';
import { type ContainerStats, NotFoundError } from './types.ts';

/** What of Docker's stats the kubelet reads; cgroup v1 and v2 name the memory counters differently. */
export interface DockerStats {
  read?: string;
  cpu_stats?: { cpu_usage?: { total_usage?: number } };
  memory_stats?: { usage?: number; stats?: Record<string, number> };
  networks?: Record<
    string,
    { rx_bytes?: number; rx_errors?: number; tx_bytes?: number; tx_errors?: number } | undefined
  >;
}

/** Docker's counters in the kubelet's terms; the working set is usage less inactive file cache. */
export function parseStats(stats: DockerStats): ContainerStats {
  const memory = stats.memory_stats?.stats ?? {};
  const usage = stats.memory_stats?.usage ?? 0;
  const inactive = memory.total_inactive_file ?? memory.inactive_file ?? 0;
  const network = stats.networks?.eth0;
  return {
    time: apiTime(stats.read) ?? '1970-01-01T00:00:00Z',
    cpuNanoseconds: stats.cpu_stats?.cpu_usage?.total_usage ?? 0,
    memoryUsageBytes: usage,
    memoryWorkingSetBytes: Math.max(0, usage - inactive),
    memoryRSSBytes: memory.total_rss ?? memory.anon ?? 0,
    pageFaults: memory.total_pgfault ?? memory.pgfault ?? 0,
    majorPageFaults: memory.total_pgmajfault ?? memory.pgmajfault ?? 0,
    ...(network && {
      network: {
        rxBytes: network.rx_bytes ?? 0,
        rxErrors: network.rx_errors ?? 0,
        txBytes: network.tx_bytes ?? 0,
        txErrors: network.tx_errors ?? 0,
      },
    }),
  };
}

/** One reading of a running container's counters, without Docker's wait for a second one. */
export async function containerStats(docker: Docker, id: string): Promise<ContainerStats> {
  const stats = (await engine(() =>
    docker.getContainer(id).stats({ stream: false, 'one-shot': true }),
  )) as DockerStats;
  // Docker answers zeros for a container that does not run.
  if (!stats.read || stats.read.startsWith('0001-')) throw new NotFoundError(`container ${id} does not run`);
  return parseStats(stats);
}
