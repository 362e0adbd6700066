import type { Usage } from './usage.ts';

type Labels = Record<string, string>;
/** Labels, value, and when it was measured in milliseconds since the epoch. */
type Sample = [Labels, number, number?];

const quoted = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

/** One metric in Prometheus' text format; nothing if it has no sample. */
export function family(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  samples: readonly Sample[],
): string {
  if (samples.length === 0) return '';
  const lines = samples.map(([labels, value, time]) => {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${quoted(text)}"`);
    return `${name}${pairs.length ? `{${pairs.join(',')}}` : ''} ${value}${time === undefined ? '' : ` ${time}`}`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
}

const seconds = (nanoseconds: number): number => nanoseconds / 1e9;
const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0);

/** `/metrics/resource`: what metrics-server reads. https://kubernetes.io/docs/reference/instrumentation/node-metrics/ */
export function resourceMetrics({ node, pods }: Usage): string {
  const nodeTime = Date.parse(node.time);
  const containers = pods.flatMap(({ pod, containers }) =>
    containers.map(({ container, stats }) => ({
      labels: {
        container: container.name,
        namespace: pod.metadata?.namespace ?? '',
        pod: pod.metadata?.name ?? '',
      },
      container,
      stats,
      time: Date.parse(stats.time),
    })),
  );
  const perPod = pods
    .filter(({ containers }) => containers.length > 0)
    .map(({ pod, containers }) => ({
      labels: { namespace: pod.metadata?.namespace ?? '', pod: pod.metadata?.name ?? '' },
      stats: containers.map(({ stats }) => stats),
      time: Date.parse(containers[0]!.stats.time),
    }));
  return [
    family(
      'container_cpu_usage_seconds_total',
      'counter',
      'Cumulative cpu time consumed by the container in core-seconds',
      containers.map(({ labels, stats, time }) => [labels, seconds(stats.cpuNanoseconds), time]),
    ),
    family(
      'container_memory_working_set_bytes',
      'gauge',
      'Current working set of the container in bytes',
      containers.map(({ labels, stats, time }) => [labels, stats.memoryWorkingSetBytes, time]),
    ),
    family(
      'container_start_time_seconds',
      'gauge',
      'Start time of the container since unix epoch in seconds',
      containers.flatMap(({ labels, container, time }): Sample[] =>
        container.startedAt ? [[labels, Date.parse(container.startedAt) / 1000, time]] : [],
      ),
    ),
    family(
      'node_cpu_usage_seconds_total',
      'counter',
      'Cumulative cpu time consumed by the node in core-seconds',
      [[{}, seconds(node.cpuNanoseconds), nodeTime]],
    ),
    family('node_memory_working_set_bytes', 'gauge', 'Current working set of the node in bytes', [
      [{}, node.memoryWorkingSetBytes, nodeTime],
    ]),
    family(
      'pod_cpu_usage_seconds_total',
      'counter',
      'Cumulative cpu time consumed by the pod in core-seconds',
      perPod.map(({ labels, stats, time }) => [
        labels,
        seconds(sum(stats.map((s) => s.cpuNanoseconds))),
        time,
      ]),
    ),
    family(
      'pod_memory_working_set_bytes',
      'gauge',
      'Current working set of the pod in bytes',
      perPod.map(({ labels, stats, time }) => [labels, sum(stats.map((s) => s.memoryWorkingSetBytes)), time]),
    ),
    family(
      'resource_scrape_error',
      'gauge',
      '1 if there was an error while getting container metrics, 0 otherwise',
      [[{}, 0]],
    ),
  ].join('');
}

/** `/metrics/cadvisor`: the series that dashboards use most, with cAdvisor's names and labels. */
export function cadvisorMetrics({ node, pods }: Usage, cpus: number): string {
  const containers = pods.flatMap(({ pod, containers }) =>
    containers.map(({ container, stats }) => {
      const labels = {
        container: container.name,
        id: `/docker/${container.id}`,
        image: container.image,
        name: container.id,
        namespace: pod.metadata?.namespace ?? '',
        pod: pod.metadata?.name ?? '',
      };
      return { labels, stats, time: Date.parse(stats.time) };
    }),
  );
  const networks = pods.flatMap(({ pod, sandbox }) =>
    sandbox?.network
      ? [
          {
            labels: {
              interface: 'eth0',
              namespace: pod.metadata?.namespace ?? '',
              pod: pod.metadata?.name ?? '',
            },
            network: sandbox.network,
            time: Date.parse(sandbox.time),
          },
        ]
      : [],
  );
  const bytes = (
    name: string,
    help: string,
    value: (stats: (typeof containers)[number]['stats']) => number,
  ) =>
    family(
      name,
      'gauge',
      help,
      containers.map(({ labels, stats, time }) => [labels, value(stats), time]),
    );
  const traffic = (
    name: string,
    help: string,
    value: (network: (typeof networks)[number]['network']) => number,
  ) =>
    family(
      name,
      'counter',
      help,
      networks.map(({ labels, network, time }) => [labels, value(network), time]),
    );
  return [
    family(
      'container_cpu_usage_seconds_total',
      'counter',
      'Cumulative cpu time consumed in seconds.',
      containers.map(({ labels, stats, time }) => [
        { ...labels, cpu: 'total' },
        seconds(stats.cpuNanoseconds),
        time,
      ]),
    ),
    bytes(
      'container_memory_usage_bytes',
      'Current memory usage in bytes, including all memory',
      (s) => s.memoryUsageBytes,
    ),
    bytes(
      'container_memory_working_set_bytes',
      'Current working set in bytes.',
      (s) => s.memoryWorkingSetBytes,
    ),
    bytes('container_memory_rss', 'Size of RSS in bytes.', (s) => s.memoryRSSBytes),
    traffic('container_network_receive_bytes_total', 'Cumulative count of bytes received', (n) => n.rxBytes),
    traffic(
      'container_network_receive_errors_total',
      'Cumulative count of errors encountered while receiving',
      (n) => n.rxErrors,
    ),
    traffic(
      'container_network_transmit_bytes_total',
      'Cumulative count of bytes transmitted',
      (n) => n.txBytes,
    ),
    traffic(
      'container_network_transmit_errors_total',
      'Cumulative count of errors encountered while transmitting',
      (n) => n.txErrors,
    ),
    family('machine_cpu_cores', 'gauge', 'Number of logical CPU cores.', [[{}, cpus]]),
    family('machine_memory_bytes', 'gauge', 'Amount of memory installed on the machine.', [
      [{}, node.memoryTotalBytes],
    ]),
  ].join('');
}
