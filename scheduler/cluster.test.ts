import fc from 'fast-check';
import t from 'tap';
import type { Pod } from '../api/types/core-v1.ts';
import { Cluster } from './cluster.ts';
import { podInfoOf } from './pod-info.ts';

const pod = (uid: string, cpu: number, hostPort: number | undefined): Pod => ({
  metadata: { name: uid, namespace: 'default', uid },
  spec: {
    containers: [
      {
        name: 'c',
        resources: { requests: { cpu: `${cpu}m`, memory: `${cpu}Mi`, 'example.com/gpu': `${cpu % 3}` } },
        ...(hostPort && { ports: [{ containerPort: 80, hostPort }] }),
      },
    ],
  },
});

const uid = fc.constantFrom('p1', 'p2', 'p3', 'p4', 'p5');
const nodeName = fc.constantFrom('a', 'b', 'c');
const change = fc.oneof(
  fc.record({
    type: fc.constantFrom('assume' as const, 'place' as const),
    uid,
    nodeName,
    cpu: fc.integer({ min: 0, max: 2000 }),
    hostPort: fc.option(fc.constantFrom(80, 443), { nil: undefined }),
  }),
  fc.record({ type: fc.constant('remove' as const), uid }),
  fc.record({ type: fc.constantFrom('node comes' as const, 'node goes' as const), nodeName }),
);

t.test('after any changes, nodes count exactly the pods that are on them', async (t) => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const cluster = new Cluster();
      const where = new Map<string, { nodeName: string; item: Pod }>();
      const known = new Set<string>();
      for (const step of changes) {
        if (step.type === 'assume' || step.type === 'place') {
          const item = pod(step.uid, step.cpu, step.hostPort);
          cluster[step.type](podInfoOf(item), step.nodeName);
          where.set(step.uid, { nodeName: step.nodeName, item });
        } else if (step.type === 'remove') {
          if (cluster.remove(step.uid) !== where.get(step.uid)?.nodeName) return false;
          where.delete(step.uid);
        } else if (step.type === 'node comes') {
          cluster.setNode({ metadata: { name: step.nodeName } });
          known.add(step.nodeName);
        } else {
          cluster.removeNode(step.nodeName);
          known.delete(step.nodeName);
        }
      }
      const expected = new Cluster();
      for (const name of known) expected.setNode({ metadata: { name } });
      for (const { nodeName: name, item } of where.values()) expected.place(podInfoOf(item), name);
      return (
        cluster.nodes.length === expected.nodes.length &&
        cluster.nodes.every((node, i) => {
          const other = expected.nodes[i]!;
          const gpus = (info: typeof node) => info.others.get('example.com/gpu') ?? 0;
          const ports = (info: typeof node) =>
            [80, 443].map((port) => info.hasPort({ ip: '0.0.0.0', protocol: 'TCP', port })).join();
          return (
            node.name === other.name &&
            node.cpu === other.cpu &&
            node.memory === other.memory &&
            node.weighedCPU === other.weighedCPU &&
            node.pods.size === other.pods.size &&
            gpus(node) === gpus(other) &&
            ports(node) === ports(other)
          );
        })
      );
    }),
  );
  t.pass('no counterexample found');
});
