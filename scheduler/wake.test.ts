import t from 'tap';
import type { Node } from '../api/types/core-v1.ts';
import { canHelp, nodeChanges } from './wake.ts';

const node = (more: Partial<Node> = {}): Node => ({
  metadata: { name: 'a', labels: { zone: 'one' } },
  status: { allocatable: { cpu: '1' } },
  ...more,
});

t.test('what an update of a node has changed', async (t) => {
  t.same(nodeChanges(node(), node()), []);
  t.same(nodeChanges(node({ status: { allocatable: { cpu: '2' } } }), node()), ['node resources']);
  t.same(nodeChanges(node({ metadata: { name: 'a', labels: { zone: 'two' } } }), node()), ['node labels']);
  t.same(nodeChanges(node({ metadata: { name: 'a' } }), node()), ['node labels']);
  t.same(nodeChanges(node({ spec: { unschedulable: true } }), node()), ['node taints']);
  t.same(nodeChanges(node({ spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }), node()), [
    'node taints',
  ]);
  const heartbeat = node({
    status: { allocatable: { cpu: '1' }, conditions: [{ type: 'Ready', status: 'True' }] },
  });
  t.same(nodeChanges(heartbeat, node()), [], 'heartbeats change nothing');
});

t.test('which changes can help whom', async (t) => {
  const fit = new Set(['NodeResourcesFit'] as const);
  t.ok(canHelp('pod gone', fit));
  t.ok(canHelp('node resources', fit));
  t.notOk(canHelp('node labels', fit));
  t.notOk(canHelp('pod placed', fit));
  const tainted = new Set(['TaintToleration'] as const);
  t.ok(canHelp('node taints', tainted));
  t.notOk(canHelp('pod gone', tainted));
  t.ok(canHelp('pod gone', new Set(['TaintToleration', 'NodeResourcesFit'] as const)), 'any of several');
  t.ok(canHelp('node added', new Set()), 'without nodes every node helps');
  t.notOk(canHelp('pod gone', new Set()));
});
