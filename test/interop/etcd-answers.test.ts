import fc from 'fast-check';
import t from 'tap';
import type { Input } from '../../api/etcd/codec.ts';
import type * as m from '../../api/etcd/messages.ts';
import { GrpcError } from '../../store/grpc/status.ts';
import type { EtcdClient } from '../../store/testing/etcd.ts';
import { startBoth } from './both.ts';
import * as requests from './etcd-arbitraries.ts';

/** The same requests to our store and to a real etcd, compared answer for answer: what upstream programs see. */

type Step =
  | { method: 'range'; request: Input<m.RangeRequest> }
  | { method: 'put'; request: Input<m.PutRequest> }
  | { method: 'deleteRange'; request: Input<m.DeleteRangeRequest> }
  | { method: 'txn'; request: Input<m.TxnRequest> }
  | { method: 'compact'; request: Input<m.CompactionRequest> }
  | { method: 'leaseGrant'; request: Input<m.LeaseGrantRequest> }
  | { method: 'leaseRevoke'; request: Input<m.LeaseRevokeRequest> };

const id = fc.constantFrom(7n, 8n, 9n);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: requests.range.map((request) => ({ method: 'range' as const, request })) },
  { weight: 6, arbitrary: requests.put.map((request) => ({ method: 'put' as const, request })) },
  {
    weight: 2,
    arbitrary: requests.deleteRange.map((request) => ({ method: 'deleteRange' as const, request })),
  },
  { weight: 8, arbitrary: requests.txn.map((request) => ({ method: 'txn' as const, request })) },
  {
    weight: 1,
    arbitrary: fc
      .record({ revision: requests.revision, physical: fc.boolean() })
      .map((request) => ({ method: 'compact' as const, request })),
  },
  {
    weight: 1,
    arbitrary: id.map((ID) => ({ method: 'leaseGrant' as const, request: { ID, TTL: 1000 } })),
  },
  { weight: 1, arbitrary: id.map((ID) => ({ method: 'leaseRevoke' as const, request: { ID } })) },
);

/** What a server says of itself differs; everything else must not. */
function comparable(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map(comparable);
  if (!value || typeof value !== 'object') return value;
  const hidden = new Set(['cluster_id', 'member_id', 'raft_term']);
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, item]) => (hidden.has(name) ? [] : [[name, comparable(item)]])),
  );
}

async function answer(client: EtcdClient, { method, request }: Step): Promise<unknown> {
  try {
    const response = await (client[method] as (request: unknown) => Promise<unknown>)(request);
    return comparable(response);
  } catch (error) {
    if (!(error instanceof GrpcError)) throw error;
    return { code: error.code, message: error.message };
  }
}

t.test('every answer is what a real etcd answers', async (t) => {
  const both = await startBoth(t);
  const [store, etcd] = [both.store.client, both.etcd.client];
  let current = 1;
  let answers = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      for (const { method, request } of steps) {
        const resolved = { method, request: requests.resolveRevisions(request, current) } as Step;
        const [mine, reference] = await Promise.all([answer(store, resolved), answer(etcd, resolved)]);
        const same = JSON.stringify(mine) === JSON.stringify(reference);
        if (!same)
          throw new Error(
            `at revision ${current}, ${method} ${JSON.stringify(comparable(resolved.request))}\n` +
              `store: ${JSON.stringify(mine)}\netcd:  ${JSON.stringify(reference)}`,
          );
        answers++;
        const { header } = reference as { header?: { revision: number } };
        if (header) current = Math.max(current, header.revision);
      }
    }),
    { endOnFailure: true, numRuns: Number(process.env.ETCD_ANSWERS_RUNS ?? 400) },
  );
  t.ok(answers > 1000, `${answers} answers compared`);
});
