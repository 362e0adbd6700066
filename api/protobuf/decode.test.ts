import { test } from 'tap';
import { bool, bytes, type Codec, embedded, int64, message, repeated, string } from '../etcd/codec.ts';
import { DecodeError } from '../etcd/wire.ts';
import { decodeProtobuf, isProtobuf } from './decode.ts';

const TypeMeta = message({ apiVersion: string(1), kind: string(2) });
const Unknown = message({ typeMeta: embedded(1, () => TypeMeta), raw: bytes(2) });
const Entry = message({ key: string(1), value: string(2) });
const Time = message({ seconds: int64(1), nanos: int64(2) });
const ObjectMeta = message({
  name: string(1),
  namespace: string(3),
  creationTimestamp: embedded(8, () => Time),
  labels: repeated(11, () => Entry),
});

/** An object in its envelope, as clients send it. */
const encode = <T>(
  apiVersion: string,
  kind: string,
  codec: Codec<T>,
  object: Parameters<Codec<T>['encode']>[0],
) =>
  Buffer.concat([
    Buffer.from('k8s\0'),
    Unknown.encode({ typeMeta: { apiVersion, kind }, raw: codec.encode(object) }),
  ]);

test('a ConfigMap has its metadata, maps and times', (t) => {
  const ConfigMap = message({
    metadata: embedded(1, () => ObjectMeta),
    data: repeated(2, () => Entry),
    immutable: bool(4),
  });
  const sent = encode('v1', 'ConfigMap', ConfigMap, {
    metadata: {
      name: 'a',
      namespace: 'ns',
      creationTimestamp: { seconds: 1_700_000_000 },
      labels: [{ key: 'x', value: 'y' }],
    },
    data: [
      { key: 'k', value: 'v' },
      { key: 'empty', value: '' },
    ],
    immutable: true,
  });
  t.ok(isProtobuf(sent));
  t.strictSame(decodeProtobuf(sent), {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: 'a', namespace: 'ns', creationTimestamp: '2023-11-14T22:13:20Z', labels: { x: 'y' } },
    data: { k: 'v', empty: '' },
    immutable: true,
  });
  t.end();
});

test('structs that Go embeds are inlined, and special types read as their JSON does', (t) => {
  const IntOrString = message({ type: int64(1), intVal: int64(2), strVal: string(3) });
  const HTTPGet = message({ path: string(1), port: embedded(2, () => IntOrString) });
  const Handler = message({ httpGet: embedded(2, () => HTTPGet) });
  const Probe = message({ handler: embedded(1, () => Handler), periodSeconds: int64(4) });
  const Quantity = message({ string: string(1) });
  const Limit = message({ key: string(1), value: embedded(2, () => Quantity) });
  const Resources = message({ limits: repeated(1, () => Limit) });
  const Container = message({
    name: string(1),
    resources: embedded(8, () => Resources),
    livenessProbe: embedded(10, () => Probe),
  });
  const PodSpec = message({ containers: repeated(2, () => Container) });
  const Pod = message({ spec: embedded(2, () => PodSpec) });
  const container = {
    name: 'c',
    resources: { limits: [{ key: 'cpu', value: { string: '100m' } }] },
    livenessProbe: {
      handler: { httpGet: { path: '/', port: { type: 1, strVal: 'http' } } },
      periodSeconds: 5,
    },
  };
  t.match(decodeProtobuf(encode('v1', 'Pod', Pod, { spec: { containers: [container] } })), {
    spec: {
      containers: [
        {
          name: 'c',
          resources: { limits: { cpu: '100m' } },
          livenessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 5 },
        },
      ],
    },
  });
  t.end();
});

test('bytes become base64 and unknown fields are skipped', (t) => {
  const Data = message({ key: string(1), value: bytes(2) });
  const Secret = message({ data: repeated(2, () => Data), future: string(999) });
  const sent = encode('v1', 'Secret', Secret, {
    data: [{ key: 'k', value: Buffer.from('pw') }],
    future: 'x',
  });
  t.strictSame(decodeProtobuf(sent), { kind: 'Secret', apiVersion: 'v1', data: { k: 'cHc=' } });
  t.end();
});

test('options of meta/v1 are known under any group', (t) => {
  const DeleteOptions = message({ propagationPolicy: string(4) });
  const sent = encode('apps/v1', 'DeleteOptions', DeleteOptions, { propagationPolicy: 'Orphan' });
  t.match(decodeProtobuf(sent), { kind: 'DeleteOptions', propagationPolicy: 'Orphan' });
  t.end();
});

test('what is no such object is refused', (t) => {
  const Empty = message({});
  t.throws(() => decodeProtobuf(Buffer.from('{}')), DecodeError);
  t.throws(() => decodeProtobuf(encode('v1', 'Nothing', Empty, {})), DecodeError);
  const whole = encode('v1', 'ConfigMap', message({ metadata: embedded(1, () => ObjectMeta) }), {
    metadata: { name: 'abc' },
  });
  for (let length = 5; length < whole.length; length++) {
    try {
      decodeProtobuf(whole.subarray(0, length));
    } catch (error) {
      t.ok(error instanceof DecodeError, `cut at ${length}: ${error}`);
    }
  }
  t.end();
});
