import type { ContainerStats } from '../../runtime/types.ts';
import type { Usage } from './usage.ts';

/** Nanocores by container ID or `node`: what rates need from the reading before. */
export type Rates = ReadonlyMap<string, number>;

/** CPU use between two readings, in nanocores; empty for what the earlier one does not have. */
export function cpuRates(before: Usage | undefined, now: Usage): Rates {
  const counters = (usage: Usage): [string, string, number][] => [
    ['node', usage.node.time, usage.node.cpuNanoseconds],
    ...usage.pods.flatMap(({ containers }) =>
      containers.map(({ container, stats }): [string, string, number] => [
        container.id,
        stats.time,
        stats.cpuNanoseconds,
      ]),
    ),
  ];
  const earlier = new Map(
    before && counters(before).map(([id, time, cpu]) => [id, { time: Date.parse(time), cpu }]),
  );
  const rates = new Map<string, number>();
  for (const [id, time, cpu] of counters(now)) {
    const old = earlier.get(id);
    const seconds = old ? (Date.parse(time) - old.time) / 1000 : 0;
    if (old && seconds > 0 && cpu >= old.cpu) rates.set(id, Math.round((cpu - old.cpu) / seconds));
  }
  return rates;
}

const cpuOf = (time: string, usageCoreNanoSeconds: number, usageNanoCores: number | undefined) => ({
  time,
  ...(usageNanoCores !== undefined && { usageNanoCores }),
  usageCoreNanoSeconds,
});

const memoryOf = (stats: ContainerStats) => ({
  time: stats.time,
  usageBytes: stats.memoryUsageBytes,
  workingSetBytes: stats.memoryWorkingSetBytes,
  rssBytes: stats.memoryRSSBytes,
  pageFaults: stats.pageFaults,
  majorPageFaults: stats.majorPageFaults,
});

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0);

/**
 * The answer of `/stats/summary`.
 * https://github.com/kubernetes/kubelet/blob/master/pkg/apis/stats/v1alpha1/types.go
 */
export function summaryOf(nodeName: string, { node, pods }: Usage, rates: Rates): object {
  const { time, filesystem, network } = node;
  const fs = { time, ...filesystem, inodesUsed: filesystem.inodes - filesystem.inodesFree };
  return {
    node: {
      nodeName,
      startTime: node.startTime,
      cpu: cpuOf(time, node.cpuNanoseconds, rates.get('node')),
      memory: {
        time,
        availableBytes: node.memoryTotalBytes - node.memoryWorkingSetBytes,
        usageBytes: node.memoryUsageBytes,
        workingSetBytes: node.memoryWorkingSetBytes,
        rssBytes: node.memoryRSSBytes,
      },
      ...(network && { network: { time, ...network, interfaces: [network] } }),
      fs,
      runtime: { imageFs: fs },
    },
    pods: pods.map(({ pod, sandbox, containers }) => {
      const all = containers.map(({ stats }) => stats);
      const podTime = all[0]?.time ?? time;
      const { name, namespace, uid } = pod.metadata ?? {};
      const known = containers.flatMap(({ container }) => rates.get(container.id) ?? []);
      const podNetwork = sandbox?.network && { name: 'eth0', ...sandbox.network };
      return {
        podRef: { name, namespace, uid },
        startTime: pod.status?.startTime ?? pod.metadata?.creationTimestamp,
        containers: containers.map(({ container, stats }) => ({
          name: container.name,
          startTime: container.startedAt,
          cpu: cpuOf(stats.time, stats.cpuNanoseconds, rates.get(container.id)),
          memory: memoryOf(stats),
        })),
        cpu: cpuOf(podTime, sum(all.map((s) => s.cpuNanoseconds)), known.length ? sum(known) : undefined),
        memory: {
          time: podTime,
          usageBytes: sum(all.map((s) => s.memoryUsageBytes)),
          workingSetBytes: sum(all.map((s) => s.memoryWorkingSetBytes)),
          rssBytes: sum(all.map((s) => s.memoryRSSBytes)),
        },
        ...(podNetwork && { network: { time: podTime, ...podNetwork, interfaces: [podNetwork] } }),
      };
    }),
  };
}
