import { join } from 'node:path';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import t from 'tap';
import { type Codec, DecodeError } from './codec.ts';
import * as messages from './messages.ts';

const root = protobuf.loadSync([
  join(import.meta.dirname, '../../node_modules/etcd3/proto/rpc.proto'),
  join(import.meta.dirname, '../../node_modules/etcd3/proto/kv.proto'),
]);
// protobufjs renames fields to camelCase unless told otherwise.
const exact = new protobuf.Root();
exact.resolvePath = (_origin, target) =>
  join(import.meta.dirname, '../../node_modules/etcd3/proto', target.replace('./', '').split('/').at(-1)!);
exact.loadSync(['rpc.proto', 'kv.proto'], { keepCase: true });

const codecs = Object.entries(messages).filter(([, value]) => 'decode' in value) as [string, Codec<object>][];
const wide = new Set(['ID', 'lease', 'cluster_id', 'member_id', 'leader', 'targetID', 'memberID']);

/** Arbitrary values of a message, made from the reference schema, not from ours. */
function arbitrary(type: protobuf.Type, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const fields = type.fieldsArray.map((field): [string, fc.Arbitrary<unknown>] => {
    const resolved = field.resolve().resolvedType;
    let value: fc.Arbitrary<unknown>;
    if (resolved instanceof protobuf.Type)
      value = depth > 0 ? arbitrary(resolved, depth - 1) : fc.constant(undefined);
    else if (resolved) value = fc.constantFrom(...Object.values(resolved.values));
    else if (field.type === 'bytes') value = fc.uint8Array({ maxLength: 300 }).map((b) => Buffer.from(b));
    else if (field.type === 'string') value = fc.string({ unit: 'grapheme' });
    else if (field.type === 'bool') value = fc.boolean();
    else if (wide.has(field.name))
      value =
        field.type === 'uint64' ? fc.bigInt(0n, 2n ** 64n - 1n) : fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
    else if (field.type === 'uint32') value = fc.nat(2 ** 32 - 1);
    else if (field.type === 'uint64') value = fc.maxSafeNat();
    else value = fc.maxSafeInteger();
    if (field.repeated)
      value = fc.array(value, { maxLength: 3 }).map((list) => list.filter((item) => item !== undefined));
    return [field.name, value];
  });
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] }).chain((record) => {
    const oneofs = type.oneofsArray.map((oneof) => oneof.fieldsArray.map(({ name }) => name));
    return fc.tuple(...oneofs.map((names) => fc.constantFrom(...names))).map((chosen) => {
      const result: Record<string, unknown> = {};
      for (const [name, value] of Object.entries(record)) {
        const group = oneofs.findIndex((names) => names.includes(name));
        if (value !== undefined && (group < 0 || chosen[group] === name)) result[name] = value;
      }
      return result;
    });
  });
}

/** protobufjs takes wide integers as Long-like objects. */
function forReference(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const bits = BigInt.asUintN(64, value);
    return { low: Number(bits & 0xffffffffn) | 0, high: Number(bits >> 32n) | 0, unsigned: false };
  }
  if (Array.isArray(value)) return value.map(forReference);
  if (value && typeof value === 'object' && !(value instanceof Uint8Array))
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, forReference(v)]));
  return value;
}

for (const [name, codec] of codecs) {
  t.test(`${name} encodes and decodes as the reference implementation does`, (t) => {
    const type = exact.lookupType(name);
    t.equal(type.fullName, root.lookupType(name).fullName);
    fc.assert(
      fc.property(arbitrary(type, 3), (value) => {
        const reference = Buffer.from(type.encode(forReference(value) as object).finish());
        const ours = codec.encode(value);
        // Equal meaning in either direction: what we wrote as they read it, what they wrote as we read it.
        const meaning = (bytes: Buffer) =>
          JSON.stringify(type.toObject(type.decode(bytes), { defaults: true, longs: String, bytes: String }));
        return (
          meaning(ours) === meaning(reference) &&
          codec.encode(codec.decode(reference)).equals(ours) &&
          codec.encode(codec.decode(ours)).equals(ours)
        );
      }),
      { numRuns: 60 },
    );
    t.end();
  });
}

t.test('absent fields read as proto3 defaults', (t) => {
  t.same(messages.PutRequest.decode(Buffer.alloc(0)), {
    key: Buffer.alloc(0),
    value: Buffer.alloc(0),
    lease: 0n,
    prev_kv: false,
    ignore_value: false,
    ignore_lease: false,
  });
  t.same(messages.TxnRequest.decode(Buffer.alloc(0)), { compare: [], success: [], failure: [] });
  t.end();
});

t.test('two decoded messages never share a list', (t) => {
  const first = messages.TxnRequest.decode(Buffer.alloc(0));
  t.not(first.compare, messages.TxnRequest.decode(Buffer.alloc(0)).compare);
  t.end();
});

t.test('the last field of a oneof wins', (t) => {
  const both = Buffer.concat([
    messages.WatchRequest.encode({ create_request: { watch_id: 1 } }),
    messages.WatchRequest.encode({ cancel_request: { watch_id: 2 } }),
  ]);
  const decoded = messages.WatchRequest.decode(both);
  t.equal(decoded.create_request, undefined);
  t.equal(decoded.cancel_request?.watch_id, 2);
  t.end();
});

t.test('a oneof scalar is kept when it has its default value', (t) => {
  const decoded = messages.Compare.decode(messages.Compare.encode({ mod_revision: 0 }));
  t.equal(decoded.mod_revision, 0);
  t.equal(decoded.version, undefined);
  t.end();
});

t.test('an embedded message may be given encoded', (t) => {
  const kv = { key: Buffer.from('k'), value: Buffer.from('v'), mod_revision: 7 };
  t.same(
    messages.RangeResponse.encode({ kvs: [messages.KeyValue.encode(kv)], count: 1 }),
    messages.RangeResponse.encode({ kvs: [kv], count: 1 }),
  );
  t.end();
});

t.test('unknown fields of every wire type are skipped', (t) => {
  const unknown = Buffer.concat([
    Buffer.from([0xf8, 0x07, 0x96, 0x01]), // varint
    Buffer.from([0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8]), // fixed64
    Buffer.from([0xfa, 0x07, 2, 9, 9]), // bytes
    Buffer.from([0xfb, 0x07, 0x08, 0x01, 0xfc, 0x07]), // group
    Buffer.from([0xfd, 0x07, 1, 2, 3, 4]), // fixed32
  ]);
  const put = messages.PutRequest.encode({ key: Buffer.from('k') });
  t.same(messages.PutRequest.decode(Buffer.concat([unknown, put, unknown])), messages.PutRequest.decode(put));
  t.end();
});

t.test('packed and unpacked enums are both read', (t) => {
  t.same(messages.WatchCreateRequest.decode(Buffer.from([0x2a, 2, 0, 1])).filters, [0, 1]);
  t.same(messages.WatchCreateRequest.decode(Buffer.from([0x28, 0, 0x28, 1])).filters, [0, 1]);
  t.end();
});

t.test('a prefix leaves room for a frame header', (t) => {
  const framed = messages.PutRequest.encode({ key: Buffer.from('k') }, 5);
  t.same(framed.subarray(5), messages.PutRequest.encode({ key: Buffer.from('k') }));
  t.end();
});

t.test('a large message after and before a small one', (t) => {
  const value = Buffer.alloc(3 << 20, 7);
  t.ok(messages.PutRequest.decode(messages.PutRequest.encode({ value })).value.equals(value));
  t.ok(
    messages.PutRequest.decode(messages.PutRequest.encode({ key: value.subarray(0, 3) })).key.length === 3,
  );
  t.end();
});

const malformed: [string, number[]][] = [
  ['a length past the end', [0x0a, 5, 1]],
  ['a truncated varint', [0x18, 0x80]],
  ['a truncated tag', [0x80]],
  ['a varint of eleven bytes', [0x18, ...Array(10).fill(0xff), 1]],
  ['a wrong wire type', [0x08, 1]],
  ['field number 0', [0x02, 0]],
  ['an illegal wire type', [0xff, 0x07]],
  ['a group without end', [0xfb, 0x07, 0x08, 1]],
  [
    'deep groups',
    Array(1000)
      .fill(0x0b)
      .flatMap(() => [0xfb, 0x07]),
  ],
];
for (const [what, bytes] of malformed)
  t.test(`${what} is a DecodeError`, (t) => {
    t.throws(() => messages.PutRequest.decode(Buffer.from(bytes)), DecodeError);
    t.end();
  });

t.test('transactions nested without bound are a DecodeError', (t) => {
  let body: Buffer = Buffer.alloc(0);
  for (let i = 0; i < 5000; i++)
    body = messages.TxnRequest.encode({ success: [messages.RequestOp.encode({ request_txn: body })] });
  t.throws(() => messages.TxnRequest.decode(body), DecodeError);
  t.end();
});

t.test('any bytes either decode or throw a DecodeError', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.constantFrom(...codecs), (bytes, [, codec]) => {
      try {
        codec.encode(codec.decode(bytes));
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
    }),
    { numRuns: 5000 },
  );
  t.end();
});
