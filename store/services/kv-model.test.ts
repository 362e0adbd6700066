import fc from 'fast-check';
import t from 'tap';
import type { Codec, Input } from '../../api/etcd/codec.ts';
import {
  type KeyValue,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from '../../api/etcd/messages.ts';
import { parseFlags } from '../../api/flags.ts';
import { type Data, openData } from '../data.ts';
import { storeFlags } from '../flags.ts';
import { createLog } from '../log.ts';
import { rangeAt } from '../mvcc/range.ts';
import { runTxn } from '../mvcc/txn.ts';
import { checkTxn } from '../mvcc/txn-check.ts';
import { KvModel } from '../testing/kv-model.ts';
import { removeDirectory, temporaryDirectory } from '../testing/process.ts';

/** Ranges and transactions, answer for answer, against a map for every revision. */

const keys = ['a', 'aa', 'b', 'c', '\xff'];
const bytes = (text: string) => Buffer.from(text, 'latin1');
const key = fc.constantFrom(...keys).map(bytes);
const end = fc.constantFrom('', '', '\0', 'b', 'd').map(bytes);
const value = fc.constantFrom('', '1', '2', 'x'.repeat(300)).map(bytes);
/** Revisions are given as a distance back from the newest one; 0 is none. */
const back = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 12 }));

const range = fc.record({
  key,
  range_end: end,
  limit: fc.constantFrom(0, 0, 1, 2),
  revision: back,
  sort_order: fc.integer({ min: 0, max: 2 }),
  sort_target: fc.integer({ min: 0, max: 4 }),
  keys_only: fc.boolean(),
  count_only: fc.constantFrom(false, false, true),
  min_mod_revision: back,
  max_mod_revision: back,
  min_create_revision: back,
  max_create_revision: back,
});
const revisionFields = /revision$/;

const compare = fc
  .record({
    key,
    range_end: end,
    result: fc.integer({ min: 0, max: 3 }),
    target: fc.integer({ min: 0, max: 3 }),
    version: fc.integer({ min: 0, max: 3 }),
    revision: back,
    value,
  })
  .map(({ version, revision, value, ...rest }) => ({
    ...rest,
    ...[{ version }, { create_revision: revision }, { mod_revision: revision }, { value }][rest.target],
  }));

/** Each key is written by one operation at most, so that the transaction is not refused. */
const { txn } = fc.letrec((tie) => ({
  txn: fc.record({
    compare: fc.array(compare, { maxLength: 2 }),
    success: tie('branch'),
    failure: tie('branch'),
  }),
  branch: fc
    .record({
      writes: fc.uniqueArray(fc.record({ key, value, prev_kv: fc.boolean(), put: fc.boolean() }), {
        selector: ({ key }) => key.toString('latin1'),
        maxLength: 3,
      }),
      reads: fc.array(range, { maxLength: 2 }),
      nested: fc.option(fc.record({ compare: fc.array(compare, { maxLength: 1 }), read: range }), {
        freq: 4,
      }),
      order: fc.infiniteStream(fc.nat()),
    })
    .map(({ writes, reads, nested, order }) => {
      const operations: object[] = [
        ...writes.map(({ key, value, prev_kv, put }) =>
          put ? { request_put: { key, value, prev_kv } } : { request_delete_range: { key, prev_kv } },
        ),
        ...reads.map((request_range) => ({ request_range })),
      ];
      if (nested)
        operations.push({
          request_txn: { compare: nested.compare, success: [{ request_range: nested.read }], failure: [] },
        });
      return operations
        .map((operation) => ({ operation, place: order.next().value as number }))
        .sort((a, b) => a.place - b.place)
        .map(({ operation }) => operation);
    }),
}));

type Step = { range: object } | { txn: object };
const step: fc.Arbitrary<Step> = fc.oneof(
  range.map((request) => ({ range: request })),
  txn.map((request) => ({ txn: request as object })),
);

/** Turns distances into revisions: what lies before the first one is the first one. */
function resolve<T>(request: T, current: number, name = ''): T {
  if (typeof request === 'number')
    return (revisionFields.test(name) && request > 0 ? Math.max(1, current + 1 - request) : request) as T;
  if (Array.isArray(request)) return request.map((item) => resolve(item, current)) as T;
  if (!request || typeof request !== 'object' || request instanceof Uint8Array) return request;
  return Object.fromEntries(
    Object.entries(request).map(([field, item]) => [field, resolve(item, current, field)]),
  ) as T;
}

/** A message with all its fields, as it arrives. */
const whole = <T>(codec: Codec<T>, message: unknown): T => codec.decode(codec.encode(message as Input<T>));

// ---- answers of the store in the model's words -------------------------------------------------------------

function cell({ key, value, create_revision, mod_revision, version }: KeyValue) {
  return {
    key: key.toString('latin1'),
    value: value.toString('latin1'),
    create_revision,
    mod_revision,
    version,
  };
}

const readable = ({ kvs, more, count }: RangeResponse) => ({ kvs: kvs.map(cell), more, count });

function readableTxn({ succeeded, responses }: TxnResponse): unknown {
  return {
    succeeded,
    responses: responses.map(({ response_range, response_put, response_delete_range, response_txn }) => {
      if (response_range) return readable(response_range);
      if (response_put) return { previous: response_put.prev_kv && cell(response_put.prev_kv) };
      if (response_delete_range) {
        const { deleted, prev_kvs } = response_delete_range;
        return { deleted, previous: prev_kvs.map(cell) };
      }
      return readableTxn(response_txn!);
    }),
  };
}

async function answer({ mvcc }: Data, one: Step): Promise<unknown> {
  if ('range' in one) {
    const request = whole(RangeRequest, one.range);
    return readable(whole(RangeResponse, rangeAt(mvcc, request, mvcc.readRevision(request.revision))));
  }
  const request = whole(TxnRequest, one.txn);
  checkTxn(request, 128);
  return readableTxn(whole(TxnResponse, await mvcc.submit((transaction) => runTxn(transaction, request))));
}

const expected = (model: KvModel, one: Step): unknown =>
  'range' in one ? model.range(whole(RangeRequest, one.range)) : model.txn(whole(TxnRequest, one.txn));

/** Without an order of fields. */
const canonical = (value: unknown): unknown =>
  value && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([k, v]) => [k, canonical(v)]),
      )
    : Array.isArray(value)
      ? value.map(canonical)
      : value;

t.test('every range and transaction answers what the model answers', { timeout: 240_000 }, async (t) => {
  const directory = temporaryDirectory();
  const data = await openData(parseFlags(storeFlags, [`--data-dir=${directory}`]), createLog('error'));
  // One store and one model for all runs: the opening of a store would take most of the time.
  const model = new KvModel();
  let answers = 0;
  let found = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20, size: 'max' }), async (steps) => {
        for (const one of steps) {
          const resolved = resolve(one, model.revision);
          const mine = JSON.stringify(canonical(await answer(data, resolved)));
          const reference = JSON.stringify(canonical(expected(model, resolved)));
          if (mine !== reference)
            throw new Error(`${JSON.stringify(resolved)}\nstore: ${mine}\nmodel: ${reference}`);
          if (data.mvcc.revision !== model.revision)
            throw new Error(`revision ${data.mvcc.revision}, not ${model.revision}`);
          answers++;
          if (/"key"/.test(reference)) found++;
        }
      }),
      { endOnFailure: true, numRuns: Number(process.env.KV_MODEL_RUNS ?? 300) },
    );
  } finally {
    await data.close();
    removeDirectory(directory);
  }
  t.ok(answers > 1000 && found > 300, `${answers} answers compared, ${found} of them with keys`);
});
