import fc from 'fast-check';
import t from 'tap';
import type { Input } from '../../api/etcd/codec.ts';
import {
  EventType,
  type TxnRequest,
  type WatchCreateRequest,
  type WatchResponse,
} from '../../api/etcd/messages.ts';
import type { EtcdClient } from '../../store/testing/etcd.ts';
import { startBoth } from './both.ts';

/** Watches over the same changes on our store and on a real etcd must bring the same events. */

const bytes = (text: string) => Buffer.from(text, 'latin1');
const keys = ['a', 'aa', 'b', 'c'];

type Change =
  | { put: string; value: string }
  | { delete: string; end: string }
  /** One revision; `wipe` deletes everything first. */
  | { puts: string[]; wipe: boolean };
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ put: fc.constantFrom(...keys), value: fc.constantFrom('1', '2') }) },
  {
    weight: 1,
    arbitrary: fc.record({ delete: fc.constantFrom(...keys), end: fc.constantFrom('', 'b', '\0') }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ puts: fc.subarray(keys, { minLength: 1 }), wipe: fc.boolean() }),
  },
);

interface Plan {
  before: Change[];
  /** Compacts at the newest revision before the watches are made. */
  compact: boolean;
  during: Change[];
  watches: { key: string; end: string; back: number; previous: boolean; filters: number[] }[];
}
const plan: fc.Arbitrary<Plan> = fc.record({
  before: fc.array(change, { maxLength: 6 }),
  compact: fc.boolean(),
  during: fc.array(change, { maxLength: 6 }),
  watches: fc.array(
    fc.record({
      key: fc.constantFrom('', ...keys),
      end: fc.constantFrom('', '\0', 'b', 'd'),
      back: fc.integer({ min: -2, max: 8 }),
      previous: fc.boolean(),
      filters: fc.subarray([0, 1], { maxLength: 1 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});

/** etcd refuses to delete and put a key in one transaction, but does not see it for a range without end. */
function request({ puts, wipe }: { puts: string[]; wipe: boolean }): Input<TxnRequest> {
  const wiping = { request_delete_range: { key: bytes('\0'), range_end: bytes('\0') } };
  const putting = puts.map((key) => ({ request_put: { key: bytes(key), value: bytes('txn') } }));
  return { success: wipe ? [wiping, ...putting] : putting };
}

async function apply(client: EtcdClient, changes: readonly Change[]): Promise<number> {
  let revision = 0;
  for (const item of changes) {
    const response =
      'put' in item
        ? await client.put({ key: bytes(item.put), value: bytes(item.value) })
        : 'puts' in item
          ? await client.txn(request(item))
          : await client.deleteRange({ key: bytes(item.delete), range_end: bytes(item.end) });
    revision = response.header!.revision;
  }
  return revision;
}

/** What each watch of a plan has received, up to a last marker that all of them would see or have refused. */
async function watchAll(client: EtcdClient, { before, compact, during, watches }: Plan): Promise<unknown> {
  await apply(client, before);
  const { header } = await client.put({ key: bytes('start'), value: bytes('') });
  const current = header!.revision;
  if (compact) await client.compact({ revision: current, physical: true });
  const received = new Map<number, unknown[]>();
  let created = 0;
  let check: () => void = () => undefined;
  const note = (response: WatchResponse) => {
    const id = response.watch_id;
    const list = received.get(id) ?? [];
    received.set(id, list);
    if (response.created) {
      created++;
      list.push({ canceled: response.canceled, reason: response.cancel_reason });
    } else if (response.compact_revision > 0) list.push({ compacted: true });
    for (const { type, kv, prev_kv } of response.events) {
      list.push({
        type: type === EventType.put ? 'put' : 'delete',
        key: kv!.key.toString('latin1'),
        value: kv!.value.toString(),
        // Both start at the same revision, so these are comparable.
        revisions: [kv!.create_revision - current, kv!.mod_revision - current, kv!.version],
        previous: prev_kv && [prev_kv.value.toString(), prev_kv.mod_revision - current, prev_kv.version],
      });
    }
    check();
  };
  const stream = client.watch({ onMessage: note, onEnd: () => check() });
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      check = () => {
        if (condition()) resolve();
      };
      check();
    });
  const guard = 1000;
  const requests: Input<WatchCreateRequest>[] = watches.map(({ key, end, back, previous, filters }, i) => ({
    key: bytes(key),
    range_end: bytes(end),
    start_revision: back < 0 ? 0 : Math.max(1, current - back),
    prev_kv: previous,
    filters,
    watch_id: i + 1,
  }));
  for (const create_request of requests) stream.write({ create_request });
  // A watch of everything, by whose last event the others have theirs: they share one stream.
  stream.write({ create_request: { key: bytes('\0'), range_end: bytes('\0'), watch_id: guard } });
  await until(() => created === watches.length + 1);
  await apply(client, during);
  await client.put({ key: bytes('zz-marker'), value: bytes('') });
  await until(() =>
    (received.get(guard) ?? []).some((item) => (item as { key?: string }).key === 'zz-marker'),
  );
  // Late watches catch up by themselves: ask until every one that can see the last change has.
  await settle(received);
  stream.cancel();
  return [...received].filter(([id]) => id !== guard).sort(([a], [b]) => a - b);
}

/** Waits until nothing more has come for a while; the comparison then shows what is missing. */
async function settle(received: ReadonlyMap<number, unknown[]>): Promise<void> {
  const count = () => [...received.values()].reduce((sum, { length }) => sum + length, 0);
  for (let before = -1, quiet = 0; quiet < 3; ) {
    await new Promise((resolve) => setTimeout(resolve, 60));
    const now = count();
    quiet = now === before ? quiet + 1 : 0;
    before = now;
  }
}

t.test('watches bring the events that a real etcd brings', { timeout: 240_000 }, async (t) => {
  const both = await startBoth(t);
  const [store, etcd] = [both.store.client, both.etcd.client];
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(plan, async (steps) => {
      const [mine, reference] = await Promise.all([watchAll(store, steps), watchAll(etcd, steps)]);
      compared += JSON.stringify(reference).length;
      if (JSON.stringify(mine) !== JSON.stringify(reference))
        throw new Error(
          `${JSON.stringify(steps)}\nstore: ${JSON.stringify(mine)}\netcd:  ${JSON.stringify(reference)}`,
        );
    }),
    { endOnFailure: true, numRuns: Number(process.env.ETCD_WATCH_RUNS ?? 40) },
  );
  t.ok(compared > 1000, 'events were compared');
});
