import { tmpdir } from 'node:os';
import t from 'tap';
import type { ContainerStats } from '../../runtime/types.ts';
import { parseBusyTime, parseMemory, parseNetwork, readNodeUsage } from './node-usage.ts';
import { cadvisorMetrics, family, resourceMetrics } from './prometheus.ts';
import { cpuRates, summaryOf } from './summary.ts';
import type { Usage } from './usage.ts';

const stats = (over: Partial<ContainerStats> = {}): ContainerStats => ({
  time: '2026-01-02T03:04:05Z',
  cpuNanoseconds: 2_500_000_000,
  memoryUsageBytes: 300,
  memoryWorkingSetBytes: 200,
  memoryRSSBytes: 100,
  pageFaults: 1,
  majorPageFaults: 0,
  ...over,
});

const usage = (over: Partial<ContainerStats> = {}): Usage => ({
  node: {
    time: '2026-01-02T03:04:06Z',
    startTime: '2026-01-01T00:00:00Z',
    cpuNanoseconds: 10_000_000_000,
    memoryTotalBytes: 1000,
    memoryUsageBytes: 600,
    memoryWorkingSetBytes: 500,
    memoryRSSBytes: 400,
    network: { name: 'eth0', rxBytes: 1, rxErrors: 0, txBytes: 2, txErrors: 0 },
    filesystem: { capacityBytes: 10, availableBytes: 4, usedBytes: 5, inodes: 8, inodesFree: 3 },
  },
  pods: [
    {
      pod: {
        metadata: { name: 'web', namespace: 'default', uid: 'u' },
        status: { startTime: '2026-01-02T00:00:00Z' },
      },
      sandbox: stats({ network: { rxBytes: 7, rxErrors: 0, txBytes: 8, txErrors: 0 } }),
      containers: ['main', 'side'].map((name) => ({
        container: {
          id: `id-${name}`,
          name,
          attempt: 0,
          state: 'running',
          image: 'busybox:1.36',
          imageID: '',
          hash: '',
          sandboxID: '',
          createdAt: '',
          startedAt: '2026-01-02T00:00:00Z',
        },
        stats: stats(over),
      })),
    },
  ],
});

t.test('/proc is read as proc(5) says', async (t) => {
  t.equal(parseBusyTime('cpu  10 1 20 1000 500 2 3 4 0 0\ncpu0 1 1 1 1'), 40 * 10_000_000);
  t.same(parseMemory('MemTotal:  1000 kB\nMemFree:    400 kB\nInactive(file):  100 kB\nAnonPages: 50 kB\n'), {
    total: 1_024_000,
    free: 409_600,
    inactiveFile: 102_400,
    anonymous: 51_200,
  });
  const routes = 'Iface\tDestination\tGateway\neth1\t0002A8C0\t0\neth0\t00000000\t010200C0\n';
  const devices = '  eth0: 11 2 3 4 5 6 7 8 12 13 14 0 0 0 0 0\n    lo: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n';
  t.same(parseNetwork(routes, devices), {
    name: 'eth0',
    rxBytes: 11,
    rxErrors: 3,
    txBytes: 12,
    txErrors: 14,
  });
  t.equal(parseNetwork('', devices), undefined);
});

t.test('this machine has figures', async (t) => {
  const node = await readNodeUsage(tmpdir());
  t.ok(node.cpuNanoseconds > 0);
  t.ok(node.memoryWorkingSetBytes > 0 && node.memoryWorkingSetBytes < node.memoryTotalBytes);
  t.ok(node.filesystem.usedBytes > 0 && node.filesystem.usedBytes < node.filesystem.capacityBytes);
});

t.test('rates need two readings of the same container, and no counter that went back', async (t) => {
  t.equal(cpuRates(undefined, usage()).size, 0);
  const later = usage({ time: '2026-01-02T03:04:15Z', cpuNanoseconds: 3_500_000_000 });
  t.equal(cpuRates(usage(), later).get('id-main'), 100_000_000);
  t.notOk(cpuRates(later, usage({ time: '2026-01-02T03:05:00Z' })).has('id-main'));
});

t.test('the summary adds up a pod from its containers', async (t) => {
  t.match(
    summaryOf(
      'one',
      usage(),
      new Map([
        ['id-main', 5],
        ['id-side', 6],
        ['node', 7],
      ]),
    ),
    {
      node: {
        nodeName: 'one',
        cpu: { usageNanoCores: 7, usageCoreNanoSeconds: 10_000_000_000 },
        memory: { availableBytes: 500, workingSetBytes: 500 },
        fs: { inodesUsed: 5 },
      },
      pods: [
        {
          podRef: { name: 'web', namespace: 'default', uid: 'u' },
          cpu: { usageNanoCores: 11, usageCoreNanoSeconds: 5_000_000_000 },
          memory: { workingSetBytes: 400 },
          network: { name: 'eth0', rxBytes: 7 },
          containers: [{ name: 'main', cpu: { usageNanoCores: 5 } }, { name: 'side' }],
        },
      ],
    },
  );
});

t.test('metrics are in the text format, times in milliseconds', async (t) => {
  t.equal(family('x', 'gauge', 'h', []), '');
  t.equal(
    family('x', 'gauge', 'h', [[{ a: 'q"\\\n' }, 1]]),
    '# HELP x h\n# TYPE x gauge\nx{a="q\\"\\\\\\n"} 1\n',
  );
  const at = Date.parse('2026-01-02T03:04:05Z');
  const resource = resourceMetrics(usage());
  for (const line of [
    `container_cpu_usage_seconds_total{container="main",namespace="default",pod="web"} 2.5 ${at}`,
    `container_memory_working_set_bytes{container="side",namespace="default",pod="web"} 200 ${at}`,
    `pod_cpu_usage_seconds_total{namespace="default",pod="web"} 5 ${at}`,
    `node_memory_working_set_bytes 500 ${at + 1000}`,
    'resource_scrape_error 0',
  ])
    t.ok(resource.split('\n').includes(line), line);
  const cadvisor = cadvisorMetrics(usage(), 4);
  t.match(
    cadvisor,
    `container_network_receive_bytes_total{interface="eth0",namespace="default",pod="web"} 7 ${at}`,
  );
  t.match(cadvisor, 'machine_cpu_cores 4\n');
});
