import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { EtcdClient } from '../../store/testing/etcd.ts';
import { freePort, StoreProcess } from '../../store/testing/process.ts';
import { LoopDisk } from '../lib/loop-disk.ts';
import { random } from '../lib/random.ts';
import { ChaosRun } from './store-run.ts';

const unavailable = LoopDisk.unavailable();
const possible = { skip: unavailable ?? false };
const seed = Number(process.env.STORE_CHAOS_SEED ?? Math.floor(Math.random() * 1e6));
const all = { key: Buffer.from('\0'), range_end: Buffer.from('\0') };

/** The revision, and every key with its value and revision. */
async function content(store: StoreProcess): Promise<string[]> {
  const connection = await store.connect();
  const { kvs, header } = await new EtcdClient(connection).range(all);
  connection.close();
  return [
    `revision ${header!.revision}`,
    ...kvs.map(
      ({ key, value, mod_revision }) => `${key} ${mod_revision} ${Buffer.from(value).toString('hex')}`,
    ),
  ];
}

async function write(store: StoreProcess, count: number): Promise<void> {
  const connection = await store.connect();
  const etcd = new EtcdClient(connection);
  for (let i = 0; i < count; i++)
    await etcd.put({ key: Buffer.from(`key-${i % 30}`), value: Buffer.alloc(i * 50, i) });
  connection.close();
}

t.test('every promise is kept while the power is cut', { timeout: 180_000, ...possible }, async (t) => {
  const result = await new ChaosRun({
    kind: 'store',
    seconds: 12,
    clients: 6,
    seed,
    minOperations: 600,
    minKills: 6,
    powerCuts: true,
  }).run();
  t.equal(result.problems.join('\n'), '', `seed ${seed}`);
  t.ok(result.operations > 500, `${result.operations} operations`);
  t.ok(result.cuts >= 3, `${result.cuts} power cuts`);
  t.ok(result.events > 100, `${result.events} events`);
  t.ok(result.leases > 5, `${result.leases} leases`);
  t.ok(result.megabytes > 5, `${result.megabytes} MB of values`);
});

t.test(
  'a store that was stopped before the power cut has all, whatever else is lost',
  possible,
  async (t) => {
    const disk = LoopDisk.create(192);
    const options = { kind: 'store', dataDir: join(disk.directory, 'data'), port: await freePort() } as const;
    let store = await StoreProcess.start(options);
    t.teardown(async () => {
      await store.stop('SIGKILL');
      disk.remove();
    });
    await write(store, 100);
    const expected = await content(store);
    t.equal(expected.length, 31);
    for (const kept of [0, 0.5, 1]) {
      t.same(await store.stop(), { code: 0, signal: null });
      disk.cut({ kept, random: random(seed) });
      store = await StoreProcess.start(options);
      t.same(await content(store), expected, `of what was not flushed ${kept} is kept, seed ${seed}`);
    }
  },
);

t.test('a power cut within the first start leaves nothing that cannot be started', possible, async (t) => {
  const port = await freePort();
  const stages = ['member.new', 'member', 'journal/0', 'journal/1'];
  for (const [index, stage] of stages.entries())
    for (const kept of [0, 1]) {
      const disk = LoopDisk.create(160);
      try {
        const options = { kind: 'store', dataDir: join(disk.directory, 'data'), port } as const;
        const first = StoreProcess.spawn(options);
        // Stages are short: it is cut in this one or a later one.
        const reached = () => stages.slice(index).some((each) => existsSync(join(options.dataDir, each)));
        while (first.alive && !reached()) await new Promise(setImmediate);
        await first.stop('SIGKILL');
        disk.cut({ kept, random: random(seed) });
        const store = await StoreProcess.start(options);
        await write(store, 3);
        t.equal((await content(store))[0], 'revision 4', `cut at ${stage}, ${kept} kept`);
        await store.stop();
      } finally {
        disk.remove();
      }
    }
});
