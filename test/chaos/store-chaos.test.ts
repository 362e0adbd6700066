import t from 'tap';
import { ChaosRun } from './store-run.ts';

t.test(
  'every promise is kept while the store is killed, paused and compacted',
  { timeout: 180_000 },
  async (t) => {
    const seed = Number(process.env.STORE_CHAOS_SEED ?? Math.floor(Math.random() * 1e6));
    const result = await new ChaosRun({
      kind: 'store',
      seconds: 15,
      clients: 6,
      seed,
      minOperations: 600,
      minKills: 8,
      powerCuts: false,
    }).run();
    t.equal(result.problems.join('\n'), '', `seed ${seed}`);
    t.ok(result.operations > 500, `${result.operations} operations`);
    t.ok(result.kills >= 3, `${result.kills} kills`);
    t.ok(result.events > 100, `${result.events} events`);
    t.ok(result.struck['during-snapshot'], 'it was killed in a snapshot');
    t.ok(result.snapshots > 0, 'and the next one was whole');
    t.ok(Object.keys(result.struck).length >= 2, `struck: ${Object.keys(result.struck)}`);
  },
);
