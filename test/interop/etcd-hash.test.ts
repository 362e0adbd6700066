import fc from 'fast-check';
import t from 'tap';
import { GrpcError } from '../../store/grpc/status.ts';
import type { EtcdClient } from '../../store/testing/etcd.ts';
import { startBoth } from './both.ts';

/** After the same history our store and a real etcd must have the same hash at every revision, compacted or not. */

const bytes = (text: string) => Buffer.from(text);

type Step = { put: string; value: string } | { delete: string; end: string } | { compact: number };
const key = fc.constantFrom('a', 'b', 'c');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ put: key, value: fc.constantFrom('1', '22') }) },
  { weight: 3, arbitrary: fc.record({ delete: key, end: fc.constantFrom('', '', '\0') }) },
  // So many revisions before the newest one: often one that deletes.
  { weight: 2, arbitrary: fc.record({ compact: fc.constantFrom(0, 0, 1, 1, 2, 4) }) },
);

/** Takes a step; the revision after it. */
async function take(client: EtcdClient, one: Step, current: number): Promise<number> {
  if ('put' in one) {
    const { header } = await client.put({ key: bytes(one.put), value: bytes(one.value) });
    return header!.revision;
  }
  if ('delete' in one) {
    const { header } = await client.deleteRange({ key: bytes(one.delete), range_end: bytes(one.end) });
    return header!.revision;
  }
  await client.compact({ revision: current - one.compact, physical: true }).catch((error: unknown) => {
    if (!(error instanceof GrpcError)) throw error;
  });
  return current;
}

async function hash(client: EtcdClient, revision: number): Promise<string> {
  try {
    const response = await client.hashKV({ revision });
    return `${response.hash} compacted ${response.compact_revision} at ${response.header!.revision}`;
  } catch (error) {
    if (!(error instanceof GrpcError)) throw error;
    return `${error.code} ${error.message}`;
  }
}

t.test('the hash of every revision is what a real etcd has', { timeout: 240_000 }, async (t) => {
  const both = await startBoth(t);
  const [store, etcd] = [both.store.client, both.etcd.client];
  let current = 1;
  let hashes = 0;
  let refusals = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      for (const one of steps)
        [current] = (await Promise.all([take(store, one, current), take(etcd, one, current)])) as [
          number,
          number,
        ];
      for (const revision of [0, ...Array.from({ length: 9 }, (_, i) => current - 7 + i)]) {
        if (revision < 0) continue;
        const [mine, reference] = await Promise.all([hash(store, revision), hash(etcd, revision)]);
        if (mine !== reference)
          throw new Error(
            `${revision} of ${current}: ${JSON.stringify(steps)}\nstore: ${mine}\netcd:  ${reference}`,
          );
        hashes++;
        if (/ etcdserver/.test(reference)) refusals++;
      }
    }),
    { endOnFailure: true, numRuns: Number(process.env.ETCD_HASH_RUNS ?? 150) },
  );
  t.ok(hashes > 500 && refusals > 10, `${hashes} hashes compared, ${refusals} of them refusals`);
});
