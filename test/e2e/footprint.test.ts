import t from 'tap';
import { idleUse } from '../bench/cluster-bench.ts';
import { startCluster, type TestCluster } from '../lib/cluster.ts';

let cluster: TestCluster;
t.before(async () => {
  cluster = await startCluster({ slot: 5 });
});
t.teardown(async () => cluster?.remove());

// How fast a cluster is, is measured by test/bench/cluster-bench.ts: what a busy machine does to it is no fault.
t.test('all processes of an idle cluster together take less than 450 MiB', async (t) => {
  const { memoryMiB, byProcess } = await idleUse(cluster, 5);
  for (const line of byProcess) t.comment(line);
  t.ok(byProcess.length >= 7, 'every process was found');
  t.ok(memoryMiB < 450, `${memoryMiB.toFixed(0)} MiB, memory that they share counted once`);
});
