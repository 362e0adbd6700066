import fc from 'fast-check';
import type { Input } from '../../api/etcd/codec.ts';
import type * as m from '../../api/etcd/messages.ts';

/** Requests over few keys, values, leases and revisions, so that they meet. */

const keys = ['', 'a', 'aa', 'ab', 'b', 'c', '\0', '\xff'].map((text) => Buffer.from(text, 'latin1'));
export const key = fc.constantFrom(...keys, ...keys.slice(1, 6), ...keys.slice(1, 6));
const rangeEnd = fc.oneof(
  { weight: 3, arbitrary: fc.constant(Buffer.alloc(0)) },
  { weight: 2, arbitrary: fc.constantFrom(...['\0', 'b', 'd', 'aa', 'a'].map((t) => Buffer.from(t))) },
);
const value = fc.constantFrom(...['', '1', '2', 'x'.repeat(300)].map((text) => Buffer.from(text)));
const flag = fc.oneof(
  { weight: 4, arbitrary: fc.constant(false) },
  { weight: 1, arbitrary: fc.constant(true) },
);
const lease = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0n) },
  { weight: 2, arbitrary: fc.constantFrom(7n, 8n, 9n) },
);
const rarely = <T>(arbitrary: fc.Arbitrary<T>, otherwise: T) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary });

const placeholder = -1_000_000;
/** 0 most of the time; else a placeholder for a revision near the current one, see {@link resolveRevisions}. */
export const revision = rarely(
  fc.integer({ min: -30, max: 3 }).map((distance) => placeholder + distance),
  0,
);

/** Turns the placeholders anywhere in a request into revisions around `current`. */
export function resolveRevisions<T>(request: T, current: number): T {
  if (typeof request === 'number')
    return (request < placeholder / 2 ? Math.max(0, current + request - placeholder) : request) as T;
  if (Array.isArray(request)) return request.map((item) => resolveRevisions(item, current)) as T;
  if (request && typeof request === 'object' && !(request instanceof Uint8Array))
    return Object.fromEntries(
      Object.entries(request).map(([name, item]) => [name, resolveRevisions(item, current)]),
    ) as T;
  return request;
}

export const range: fc.Arbitrary<Input<m.RangeRequest>> = fc.record({
  key,
  range_end: rangeEnd,
  limit: rarely(fc.integer({ min: -1, max: 3 }), 0),
  revision,
  sort_order: rarely(fc.integer({ min: 0, max: 2 }), 0),
  sort_target: rarely(fc.integer({ min: 0, max: 4 }), 0),
  serializable: flag,
  keys_only: flag,
  count_only: flag,
  min_mod_revision: revision,
  max_mod_revision: revision,
  min_create_revision: revision,
  max_create_revision: revision,
});

export const put: fc.Arbitrary<Input<m.PutRequest>> = fc.record({
  key,
  value,
  lease,
  prev_kv: flag,
  ignore_value: flag,
  ignore_lease: flag,
});

export const deleteRange: fc.Arbitrary<Input<m.DeleteRangeRequest>> = fc.record({
  key,
  range_end: rangeEnd,
  prev_kv: flag,
});

const compare: fc.Arbitrary<Input<m.Compare>> = fc
  .record({
    key,
    range_end: rangeEnd,
    result: fc.integer({ min: 0, max: 3 }),
    target: fc.integer({ min: 0, max: 4 }),
    number: fc.integer({ min: 0, max: 4 }),
    revision,
    value,
    lease,
    set: flag,
  })
  .map(({ number, revision, value, lease, set, ...rest }) => {
    if (set) return rest;
    const operand = [
      { version: number },
      { create_revision: revision },
      { mod_revision: revision },
      { value },
      { lease },
    ][rest.target];
    return { ...rest, ...operand };
  });

const { txn: anyTxn } = fc.letrec<{ txn: Input<m.TxnRequest>; operation: Input<m.RequestOp> }>((tie) => ({
  operation: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 3, arbitrary: put.map((request_put) => ({ request_put })) },
    { weight: 3, arbitrary: range.map((request_range) => ({ request_range })) },
    { weight: 2, arbitrary: deleteRange.map((request_delete_range) => ({ request_delete_range })) },
    { weight: 2, arbitrary: tie('txn').map((request_txn) => ({ request_txn })) },
    { weight: 1, arbitrary: fc.constant({}) },
  ),
  txn: fc.record({
    compare: fc.array(compare, { maxLength: 2 }),
    success: fc.array(tie('operation'), { maxLength: 3 }),
    failure: fc.array(tie('operation'), { maxLength: 3 }),
  }),
}));

/**
 * etcd 3.4 panics when a transaction deletes a key by a range without end and then puts it with `ignore_value`
 * or `ignore_lease`, so transactions that delete do not ignore.
 */
export const txn = anyTxn.map((request) =>
  mentions(request, 'request_delete_range') ? tame(request) : request,
);

function mentions(request: unknown, name: string): boolean {
  if (!request || typeof request !== 'object' || request instanceof Uint8Array) return false;
  return Object.entries(request).some(([key, item]) => key === name || mentions(item, name));
}

function tame<T>(request: T): T {
  if (Array.isArray(request)) return request.map((item) => tame(item)) as T;
  if (!request || typeof request !== 'object' || request instanceof Uint8Array) return request;
  return Object.fromEntries(
    Object.entries(request).map(([name, item]) => [name, name.startsWith('ignore_') ? false : tame(item)]),
  ) as T;
}
