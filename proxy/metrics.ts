/** One metric of the Prometheus text format with its samples. */
export interface Metric {
  name: string;
  help: string;
  type: 'counter' | 'gauge';
  samples: { labels?: Readonly<Record<string, string>>; value: number }[];
}

const quoted = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

/** The Prometheus text format. https://prometheus.io/docs/instrumenting/exposition_formats/ */
export function formatMetrics(metrics: readonly Metric[]): string {
  return metrics
    .map(({ name, help, type, samples }) => {
      const lines = samples.map(({ labels, value }) => {
        const pairs = Object.entries(labels ?? {}).map(([key, text]) => `${key}="${quoted(text)}"`);
        return `${name}${pairs.length ? `{${pairs.join(',')}}` : ''} ${value}`;
      });
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
    })
    .join('');
}

/** What every process tells of itself. */
export function processMetrics(startedAt: number): Metric[] {
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const gauge = (name: string, help: string, value: number): Metric => ({
    name,
    help,
    type: 'gauge',
    samples: [{ value }],
  });
  return [
    {
      name: 'process_cpu_seconds_total',
      help: 'CPU time used.',
      type: 'counter',
      samples: [{ value: (user + system) / 1e6 }],
    },
    gauge('process_resident_memory_bytes', 'Resident memory.', rss),
    gauge('process_start_time_seconds', 'Start time since the epoch.', startedAt / 1000),
    gauge('nodejs_heap_size_used_bytes', 'JavaScript heap in use.', heapUsed),
  ];
}
