import { DecodeError, WireReader, WireType } from '../etcd/wire.ts';
import table from './kubernetes.json' with { type: 'json' };

/**
 * Reads Kubernetes objects in protobuf, which kubectl sends in `create` and its relatives. Only reading: every
 * client takes answers in JSON. https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
 */

type Read = (reader: WireReader, wireType: number) => unknown;

interface FieldRule {
  /** Empty for a struct that is inlined in JSON. */
  name: string;
  shape: 'one' | 'list' | 'map';
  read: Read;
}

type Rules = Map<number, FieldRule>;

const meta = 'k8s.io.apimachinery.pkg.apis.meta.v1';
const messages = table as Readonly<Record<string, Readonly<Record<string, string>>>>;
const compiled = new Map<string, Rules>();
const magic = Buffer.from('k8s\0');

const signed = (reader: WireReader): number => Number(BigInt.asIntN(64, reader.uint64()));

function double(reader: WireReader): number {
  const at = reader.position;
  reader.skip(WireType.fixed64);
  return reader.buffer.readDoubleLE(at);
}

const scalars: Readonly<Record<string, Read>> = {
  int: signed,
  bool: (reader) => reader.uint64() !== 0n,
  string: (reader) => reader.string(),
  bytes: (reader) => reader.bytes().toString('base64'),
  double,
};

/** `2006-01-02T15:04:05Z`, with microseconds for MicroTime; the zero time is null. */
function time(value: Record<string, unknown>, micro: boolean): string | null {
  const seconds = (value.seconds as number | undefined) ?? 0;
  const nanos = (value.nanos as number | undefined) ?? 0;
  if (!seconds && !nanos) return null;
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  return micro ? `${whole}.${String(Math.trunc(nanos / 1000)).padStart(6, '0')}Z` : `${whole}Z`;
}

const parsed = (value: unknown): unknown => {
  const text = Buffer.from((value as string | undefined) ?? '', 'base64').toString();
  return text ? (JSON.parse(text) as unknown) : {};
};

/** Types whose JSON is not an object of their fields. */
const special: Readonly<Record<string, (value: Record<string, unknown>) => unknown>> = {
  [`${meta}.Time`]: (value) => time(value, false),
  [`${meta}.MicroTime`]: (value) => time(value, true),
  [`${meta}.FieldsV1`]: (value) => parsed(value.Raw),
  'k8s.io.apimachinery.pkg.runtime.RawExtension': (value) => parsed(value.raw),
  'k8s.io.apimachinery.pkg.api.resource.Quantity': (value) => value.string ?? '0',
  'k8s.io.apimachinery.pkg.util.intstr.IntOrString': (value) =>
    value.type === 1 ? (value.strVal ?? '') : (value.intVal ?? 0),
};

function readMessage(type: string): Read {
  const convert = special[type];
  // A type that is a plain list in Go.
  const list = /\.(ExtraValue|Verbs)$/.test(type);
  return (reader, wireType) => {
    if (wireType !== WireType.bytes) throw new DecodeError(`wrong wire type ${wireType} for ${type}`);
    const outer = reader.enter();
    const value = readFields(reader, rulesOf(type));
    reader.leave(outer);
    if (convert) return convert(value);
    return list ? (value.items ?? []) : value;
  };
}

function readerOf(shape: string): Read {
  return shape.startsWith('@') ? readMessage(shape.slice(1)) : scalars[shape]!;
}

function readEntry(value: Read): Read {
  const rules: Rules = new Map([
    [1, { name: 'key', shape: 'one', read: scalars.string! }],
    [2, { name: 'value', shape: 'one', read: value }],
  ]);
  return (reader) => {
    const outer = reader.enter();
    const entry = readFields(reader, rules);
    reader.leave(outer);
    return entry;
  };
}

function rulesOf(type: string): Rules {
  const known = compiled.get(type);
  if (known) return known;
  const fields = messages[type];
  if (!fields) throw new DecodeError(`unknown type ${type}`);
  const rules: Rules = new Map();
  compiled.set(type, rules);
  for (const [number, text] of Object.entries(fields)) {
    const [name = '', ...words] = text.split(' ');
    const shape = words.length === 2 ? (words[0] as 'list' | 'map') : 'one';
    const read = readerOf(words.at(-1)!);
    rules.set(Number(number), { name, shape, read: shape === 'map' ? readEntry(read) : read });
  }
  return rules;
}

function readFields(reader: WireReader, rules: Rules): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  while (reader.position < reader.end) {
    const tag = reader.uint32();
    const rule = rules.get(tag >>> 3);
    if (!rule) {
      reader.skip(tag & 7);
      continue;
    }
    const value = rule.read(reader, tag & 7);
    if (rule.shape === 'list') {
      result[rule.name] ??= [];
      (result[rule.name] as unknown[]).push(value);
    } else if (rule.shape === 'map') {
      const entry = value as { key?: string; value?: unknown };
      result[rule.name] ??= {};
      (result[rule.name] as Record<string, unknown>)[entry.key ?? ''] = entry.value ?? '';
    } else if (rule.name === '') Object.assign(result, value);
    else result[rule.name] = value;
  }
  return result;
}

/** The message type of a kind; types of meta/v1 are registered in every group. */
function typeOf(apiVersion: string, kind: string): string {
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? 'core' : apiVersion.slice(0, slash).split('.')[0];
  const own = `k8s.io.api.${group}.${apiVersion.slice(slash + 1)}.${kind}`;
  if (messages[own]) return own;
  if (messages[`${meta}.${kind}`]) return `${meta}.${kind}`;
  throw new DecodeError(`no kind "${kind}" is registered for version "${apiVersion}"`);
}

/** Whether these bytes begin as a Kubernetes object in protobuf does. */
export const isProtobuf = (bytes: Buffer): boolean => bytes.subarray(0, 4).equals(magic);

/**
 * One object as the value that its JSON would parse to; zero values of plain fields are present, as kubectl sends
 * them.
 * @throws {DecodeError} if the bytes are not such an object
 */
export function decodeProtobuf(bytes: Buffer): Record<string, unknown> {
  if (!isProtobuf(bytes)) throw new DecodeError('provided data does not appear to be a protobuf message');
  const envelope = new WireReader(bytes.subarray(magic.length));
  let apiVersion = '';
  let kind = '';
  let raw: Buffer = Buffer.alloc(0);
  while (envelope.position < envelope.end) {
    const tag = envelope.uint32();
    if (tag >>> 3 === 1) {
      const outer = envelope.enter();
      const typeMeta = readFields(envelope, rulesOf('k8s.io.apimachinery.pkg.runtime.TypeMeta'));
      envelope.leave(outer);
      apiVersion = (typeMeta.apiVersion as string | undefined) ?? '';
      kind = (typeMeta.kind as string | undefined) ?? '';
    } else if (tag >>> 3 === 2) raw = envelope.bytes();
    else envelope.skip(tag & 7);
  }
  const object = readFields(new WireReader(raw), rulesOf(typeOf(apiVersion, kind)));
  return { kind, apiVersion, ...object };
}
