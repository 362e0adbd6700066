import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { KeyValue, RangeRequest } from '../../api/etcd/messages.ts';
import { Faults } from '../fault.ts';
import { Lessor } from '../lease/lessor.ts';
import { Disk } from './disk.ts';
import { Mvcc } from './mvcc.ts';
import { rangeAt } from './range.ts';

/** The store's core against a model of a few lines: a list of all states the keys have ever been in. */

interface Cell {
  value: string;
  create: number;
  mod: number;
  version: number;
}
type State = ReadonlyMap<string, Cell>;

class Model {
  readonly states: State[] = [new Map(), new Map()];

  apply(puts: readonly [string, string][], deletes: readonly string[]): void {
    const before = this.states.at(-1)!;
    const next = new Map(before);
    const mod = this.states.length;
    for (const [key, value] of puts) {
      const old = before.get(key);
      next.set(key, { value, create: old?.create ?? mod, mod, version: (old?.version ?? 0) + 1 });
    }
    let changed = puts.length > 0;
    for (const key of deletes) changed = next.delete(key) || changed;
    if (changed) this.states.push(next);
  }
}

const failed = (error: unknown): void => {
  t.fail(String(error));
};

async function open(directory: string, onFailure: (error: unknown) => void = failed): Promise<Mvcc> {
  const faults = new Faults(undefined);
  const lessor = new Lessor({ now: () => 0, onError: (error) => t.fail(String(error)) });
  return Mvcc.open({
    disk: await Disk.open({ directory, faults }),
    faults,
    leases: lessor,
    // Small, so that values are read from disk as well as from memory.
    cacheBytes: 200,
    onCommit: () => undefined,
    onDurable: () => undefined,
    onFailure,
  });
}

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
type Step =
  | { kind: 'write'; puts: [string, string][]; deletes: string[] }
  | { kind: 'compact'; share: number }
  | { kind: 'reopen' };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({
        puts: fc.uniqueArray(fc.tuple(key, fc.string({ maxLength: 40 })), {
          selector: ([k]) => k,
          maxLength: 3,
        }),
        deletes: fc.uniqueArray(key, { maxLength: 2 }),
      })
      .map(({ puts, deletes }) => ({
        kind: 'write' as const,
        puts,
        deletes: deletes.filter((k) => !puts.some(([put]) => put === k)),
      })),
  },
  {
    weight: 1,
    arbitrary: fc
      .double({ min: 0, max: 1, noNaN: true })
      .map((share) => ({ kind: 'compact' as const, share })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
);

function readAll(mvcc: Mvcc, revision: number): string {
  const request = RangeRequest.decode(
    RangeRequest.encode({ key: Buffer.from('a'), range_end: Buffer.from('z') }),
  );
  const { kvs } = rangeAt(mvcc, request, mvcc.readRevision(revision));
  return JSON.stringify(
    kvs.map((raw) => {
      const kv = KeyValue.decode(raw as Buffer);
      return [kv.key.toString(), kv.value.toString(), kv.create_revision, kv.mod_revision, kv.version];
    }),
  );
}

const expected = (state: State) =>
  JSON.stringify(
    [...state]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { value, create, mod, version }]) => [name, value, create, mod, version]),
  );

t.test('every revision that is not compacted reads as the model has it, after restarts too', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const directory = mkdtempSync(join(tmpdir(), 'store-mvcc-'));
      let mvcc = await open(directory);
      const model = new Model();
      try {
        for (const action of steps) {
          if (action.kind === 'write') {
            model.apply(action.puts, action.deletes);
            await mvcc.submit((transaction) => {
              for (const [name, value] of action.puts)
                transaction.put(Buffer.from(name), Buffer.from(value), 0n);
              for (const name of action.deletes)
                if (transaction.get(name)?.existed(transaction.revision)) transaction.delete(name);
            });
          } else if (action.kind === 'compact') {
            const target = Math.round(
              mvcc.compactRevision + action.share * (mvcc.revision - mvcc.compactRevision),
            );
            if (target > Math.max(0, mvcc.compactRevision)) await mvcc.compact(target);
          } else {
            await mvcc.close();
            mvcc = await open(directory);
          }
        }
        await mvcc.compacted();
        if (mvcc.revision !== model.states.length - 1) throw new Error(`revision ${mvcc.revision}`);
        for (let at = Math.max(1, mvcc.compactRevision); at <= mvcc.revision; at++)
          if (readAll(mvcc, at) !== expected(model.states[at]!))
            throw new Error(`at ${at}: ${readAll(mvcc, at)} instead of ${expected(model.states[at]!)}`);
        if (mvcc.compactRevision > 1) t.throws(() => readAll(mvcc, mvcc.compactRevision - 1), /compacted/);
      } finally {
        await mvcc.close();
        rmSync(directory, { recursive: true, force: true });
      }
    }),
    { numRuns: 40 },
  );
});

t.test('compaction leaves one record a living key, and none of a deleted one', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'store-mvcc-'));
  const mvcc = await open(directory);
  const put = (name: string) =>
    mvcc.submit((transaction) => transaction.put(Buffer.from(name), Buffer.from('x'), 0n));
  for (let i = 0; i < 10; i++) await put('a');
  await put('b');
  await mvcc.submit((transaction) => transaction.delete('b'));
  await put('a');
  await mvcc.compact(mvcc.revision);
  await mvcc.compacted();
  t.equal(mvcc.size, 1);
  t.equal(mvcc.garbageCount, 0);
  const scan = mvcc.scan(0, await mvcc.scannable());
  t.equal((await scan.next(100)).length, 1);
  await scan.close();
  await mvcc.close();
  rmSync(directory, { recursive: true, force: true });
});

t.test('operations submitted while others finish are never stranded', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'store-mvcc-'));
  const mvcc = await open(directory);
  const chain = async (depth: number): Promise<number> =>
    depth === 0
      ? mvcc.revision
      : mvcc.submit((transaction) => transaction.revision).then(() => chain(depth - 1));
  t.equal(await chain(50), 1);
  await mvcc.close();
  rmSync(directory, { recursive: true, force: true });
});

t.test('a compaction of much history leaves turns of the event loop to others', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'store-mvcc-'));
  const mvcc = await open(directory);
  const key = Buffer.from('a');
  for (let i = 0; i < 30; i++)
    await Promise.all(
      Array.from({ length: 100 }, () =>
        mvcc.submit((transaction) => transaction.put(key, Buffer.from('value'), 0n)),
      ),
    );
  let turns = 0;
  let running = true;
  const count = () => {
    turns++;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  await mvcc.compact(mvcc.revision);
  await mvcc.compacted();
  running = false;
  t.equal(mvcc.garbageCount, 0);
  t.ok(turns >= 12, `${turns} turns for 2999 removals, 250 at a time`);
  await mvcc.close();
  rmSync(directory, { recursive: true, force: true });
});

t.test('after a failure every operation is refused, and none is left waiting', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'store-mvcc-'));
  const failures: unknown[] = [];
  const mvcc = await open(directory, (error) => failures.push(error));
  mvcc.fail(new Error('disk full'));
  const put = () => mvcc.submit((transaction) => transaction.put(Buffer.from('a'), Buffer.from('x'), 0n));
  for (let i = 0; i < 3; i++) await t.rejects(put(), /server stopped/);
  t.equal(failures.length, 1);
  await mvcc.close();
  rmSync(directory, { recursive: true, force: true });
});
