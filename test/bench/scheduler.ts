import { parseArgs } from 'node:util';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { SchedulerMetrics } from '../../scheduler/metrics.ts';
import { Scheduler } from '../../scheduler/scheduler.ts';

/**
 * How many pods a second the scheduler decides and binds when the API server answers at once: its own cost.
 * `node test/bench/scheduler.ts [--nodes 500] [--pods 2000] [--placed 10]`; prints one line of JSON.
 */
const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '500' },
    pods: { type: 'string', default: '2000' },
    /** Pods that each node has before. */
    placed: { type: 'string', default: '10' },
  },
});
const [nodeCount, podCount, placedCount] = [values.nodes, values.pods, values.placed].map(Number) as [
  number,
  number,
  number,
];

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

const node = (i: number): Node => ({
  metadata: { name: `node-${String(i).padStart(5, '0')}`, labels: { zone: `zone-${i % 3}` } },
  status: { allocatable: { cpu: '8', memory: '32Gi', pods: '110' } },
});

const pod = (name: string, nodeName?: string): Pod => ({
  metadata: { name, namespace: 'default', uid: name, labels: { app: 'bench' } },
  spec: {
    containers: [
      { name: 'c', image: 'registry/app:1', resources: { requests: { cpu: '100m', memory: '256Mi' } } },
    ],
    ...(nodeName && { nodeName }),
  },
});

const done = Promise.withResolvers<void>();
let bindings = 0;
const scheduler: Scheduler = new Scheduler({
  client: {
    // The watch shows the binding after the answer, as a real server does.
    createSub: async (_resource, key, _subresource, body) => {
      const { target } = body as { target: { name: string } };
      setImmediate(() => scheduler.setPod(pod(key.name, target.name)));
      if (++bindings === podCount) done.resolve();
      return {} as never;
    },
    patch: async () => ({}) as never,
    get: async () => ({}) as never,
  },
  recorder: { event: () => undefined },
  log: quiet,
  metrics: new SchedulerMetrics(),
  schedulerName: 'default-scheduler',
});

for (let i = 0; i < nodeCount; i++) {
  const item = node(i);
  scheduler.setNode(item);
  for (let j = 0; j < placedCount; j++) scheduler.setPod(pod(`placed-${i}-${j}`, item.metadata?.name));
}
const began = performance.now();
const cpuBefore = process.cpuUsage();
for (let i = 0; i < podCount; i++) scheduler.setPod(pod(`pod-${i}`));
scheduler.start();
await done.promise;
const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
const cpuMilliseconds = (user + system) / 1000 / podCount;
scheduler.stop();
process.stdout.write(
  `${JSON.stringify({ nodes: nodeCount, pods: podCount, seconds: Number(seconds.toFixed(3)), podsPerSecond: Math.round(podCount / seconds), cpuMillisecondsPerPod: Number(cpuMilliseconds.toFixed(3)), rssMiB: Math.round(process.memoryUsage().rss / 2 ** 20) })}\n`,
);
