import t from 'tap';
import { parseFlags } from '../../api/flags.ts';
import { type Data, openData } from '../data.ts';
import { storeFlags } from '../flags.ts';
import { createLog } from '../log.ts';
import { removeDirectory, temporaryDirectory } from '../testing/process.ts';
import { Lessor } from './lessor.ts';

/**
 * What is left of leases after a restart. The clock before it is the test's; the leases are so long that it does
 * not matter what the real one after it says.
 */

const directory = temporaryDirectory();
t.teardown(() => removeDirectory(directory));
const log = createLog('error');
const open = (name: string): Promise<Data> =>
  openData(parseFlags(storeFlags, [`--data-dir=${directory}/${name}`]), log);
const noRandom = (): bigint => {
  throw new Error('ids are given');
};

interface Life {
  lessor: Lessor;
  /** Lets seconds pass. */
  pass(seconds: number): void;
}

/** Lives with one lease of `ttl` seconds on a clock of its own, then restarts; what is left of the lease then. */
async function leftAfterRestart(
  name: string,
  ttl: number,
  live: (life: Life) => Promise<void>,
): Promise<number | undefined> {
  const before = await open(name);
  let now = 0;
  const lessor = new Lessor({
    now: () => now,
    onError: (error) => {
      throw error;
    },
  });
  lessor.start(before.mvcc);
  await lessor.grant(1n, ttl, noRandom);
  const pass = (seconds: number) => {
    now += seconds * 1000;
  };
  await live({ lessor, pass });
  lessor.stop();
  await before.close();
  return leftNow(name);
}

async function leftNow(name: string): Promise<number | undefined> {
  const after = await open(name);
  after.lessor.start(after.mvcc);
  const found = await after.lessor.timeToLive(1n, false);
  after.lessor.stop();
  await after.close();
  return found?.left;
}

/** Seconds that opening the data may take. */
const slack = 900;
const about = (left: number | undefined, seconds: number) =>
  left !== undefined && left <= seconds && left > seconds - slack;

const lives: { title: string; ttl: number; live: (life: Life) => Promise<void>; left: number }[] = [
  {
    title: 'a lease without a checkpoint has its whole time again',
    ttl: 10_000,
    live: async ({ pass }) => pass(5000),
    left: 10_000,
  },
  {
    title: 'a lease has what was left at its last checkpoint',
    ttl: 10_000,
    live: async ({ lessor, pass }) => {
      pass(3000);
      await lessor.checkpoint();
      pass(2000);
      await lessor.checkpoint();
      pass(2000);
    },
    left: 5000,
  },
  {
    title: 'a lease that was kept alive after its checkpoint has its whole time',
    ttl: 10_000,
    live: async ({ lessor, pass }) => {
      pass(8000);
      await lessor.checkpoint();
      await lessor.keepAlive(1n);
      pass(1000);
    },
    left: 10_000,
  },
  {
    title: 'a checkpoint after the lease was kept alive counts from then',
    ttl: 10_000,
    live: async ({ lessor, pass }) => {
      pass(8000);
      await lessor.checkpoint();
      await lessor.keepAlive(1n);
      pass(3000);
      await lessor.checkpoint();
    },
    left: 7000,
  },
];
for (const { title, ttl, live, left } of lives)
  t.test(title, async (t) => {
    const found = await leftAfterRestart(title.replaceAll(' ', '-'), ttl, live);
    t.ok(about(found, left), `${found} of ${left}`);
  });

t.test('what was left survives a second restart without being counted again', async (t) => {
  const left = await leftAfterRestart('twice', 10_000, async ({ lessor, pass }) => {
    pass(6000);
    await lessor.checkpoint();
  });
  t.ok(about(left, 4000), `${left} of 4000`);
  const again = await leftNow('twice');
  t.ok(about(again, 4000), `${again} of 4000`);
});

t.test('a lease of five minutes or less is not written again', async (t) => {
  const left = await leftAfterRestart('short', 300, async ({ lessor, pass }) => {
    pass(200);
    await lessor.checkpoint();
  });
  t.ok(left !== undefined && left > 100, `${left} of 300`);
});

t.test('a revoked lease does not come back with a checkpoint that was under way', async (t) => {
  const left = await leftAfterRestart('revoked', 10_000, async ({ lessor }) => {
    await Promise.all([lessor.revoke(1n), lessor.checkpoint()]);
  });
  t.equal(left, undefined);
});
