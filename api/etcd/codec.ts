import { DecodeError, WireReader, WireType, WireWriter } from './wire.ts';

export { DecodeError } from './wire.ts';

/**
 * Protobuf (proto3) from descriptors: a message is declared once as data, and its TypeScript type, encoder and
 * decoder follow from it. Unknown fields are skipped, absent ones read as their defaults.
 */

/** The values of an enum, by camel-case names of the constants that its `.proto` file has in capitals. */
export type EnumValues = Readonly<Record<string, number>>;

const enumNames = new WeakMap<EnumValues, string>();

/** Declares an enum. `name` is that in its package; the part before a dot is the message that it is declared in. */
export function enumType<const V extends EnumValues>(name: string, values: V): V {
  enumNames.set(values, name);
  return values;
}

/** The name that {@link enumType} was given. */
export function enumName(values: EnumValues): string {
  const name = enumNames.get(values);
  if (name === undefined) throw new Error('the enum was not declared with enumType');
  return name;
}

/** What a `.proto` file says of a field besides its name and number. */
export interface FieldType {
  readonly kind: 'bytes' | 'string' | 'bool' | 'int32' | 'int64' | 'uint32' | 'uint64' | 'enum' | 'message';
  readonly repeated?: boolean;
  /** Of an enum. */
  readonly values?: EnumValues;
  /** Of a message. */
  readonly message?: () => Codec<unknown>;
}

/** One field of a message: its number and how its value is read and written. `T` is the type when decoded. */
export interface Field<T, In = T> {
  readonly number: number;
  readonly wireType: number;
  readonly type: FieldType;
  /** Fields of the same `oneof` exclude each other: decoding one clears the others. */
  readonly oneof?: string;
  /** Value of an absent field. */
  initial(): T;
  read(reader: WireReader, previous: T, wireType: number): T;
  /** Writes the field backward, tag last. Never called with `undefined`. */
  write(writer: WireWriter, value: In): void;
}

/** A message's own bytes, accepted wherever a message is to be embedded: encoded once, sent many times. */
export type Encoded = Uint8Array;

/** What an encoder accepts for a decoded type: fields may be left out, embedded messages may be encoded. */
export type Input<T> = T extends Uint8Array
  ? Uint8Array
  : T extends readonly (infer E)[]
    ? readonly Input<E>[]
    : T extends object
      ? { readonly [K in keyof T]?: Input<T[K]> | undefined } | Encoded
      : T;

export interface Codec<T> {
  /** The declaration, by names of fields. */
  readonly fields: Fields;
  /** The message's bytes after `prefix` free bytes (for a frame header), in a buffer of that size from `allocate`. */
  encode(value: Input<T>, prefix?: number, allocate?: (size: number) => Buffer): Buffer;
  /**
   * Byte fields are views on `bytes`, not copies.
   * @throws {DecodeError} if `bytes` is not such a message.
   */
  decode(bytes: Uint8Array): T;
  /** For embedding: reads up to the reader's end. */
  read(reader: WireReader): T;
  /** For embedding: writes the body backward. */
  write(writer: WireWriter, value: Input<T>): void;
}

export type Fields = Readonly<Record<string, Field<unknown, never>>>;
type Decoded<F> = { -readonly [K in keyof F]: F[K] extends Field<infer T, never> ? T : never };
/** The decoded type of a codec. */
export type Infer<C> = C extends Codec<infer T> ? T : never;

// Encoding is synchronous and never re-enters from outside, so one scratch space serves all messages.
const sharedWriter = new WireWriter();

/** Compiles a message from its fields. */
export function message<const F extends Fields>(fields: F): Codec<Decoded<F>>;
export function message(fields: Fields): Codec<Record<string, unknown>> {
  const entries = Object.entries(fields);
  const byNumber: ([string, Field<unknown, never>, string[]] | undefined)[] = [];
  for (const [name, field] of entries) {
    const rivals = entries
      .filter(([other, { oneof }]) => other !== name && oneof && oneof === field.oneof)
      .map(([other]) => other);
    byNumber[field.number] = [name, field, rivals];
  }
  // Written backward, so that the bytes come out in the order of field numbers.
  const backward = entries.toSorted(([, a], [, b]) => b.number - a.number);
  const lists = entries.filter(([, field]) => Array.isArray(field.initial()));
  const initial = Object.fromEntries(entries.map(([name, field]) => [name, field.initial()]));

  const codec: Codec<Record<string, unknown>> = {
    fields,
    read(reader) {
      const result = { ...initial };
      for (const [name] of lists) result[name] = [];
      while (reader.position < reader.end) {
        const tag = reader.uint32();
        const number = tag >>> 3;
        if (number === 0) throw new DecodeError('illegal field number 0');
        const known = byNumber[number];
        if (!known) {
          reader.skip(tag & 7);
          continue;
        }
        const [name, field, rivals] = known;
        result[name] = field.read(reader, result[name], tag & 7);
        for (let i = 0; i < rivals.length; i++) result[rivals[i]!] = undefined;
      }
      return result;
    },
    write(writer, value) {
      const source = value as Record<string, unknown>;
      for (let i = 0; i < backward.length; i++) {
        const [name, field] = backward[i]!;
        const member = source[name];
        if (member !== undefined) field.write(writer, member as never);
      }
    },
    decode(bytes) {
      const buffer = Buffer.isBuffer(bytes)
        ? bytes
        : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return codec.read(new WireReader(buffer));
    },
    encode(value, prefix = 0, allocate = Buffer.allocUnsafe) {
      if (value instanceof Uint8Array) {
        const result = allocate(prefix + value.length);
        result.set(value, prefix);
        return result;
      }
      try {
        codec.write(sharedWriter, value);
        return sharedWriter.finish(prefix, allocate);
      } catch (error) {
        sharedWriter.clear();
        throw error;
      }
    },
  };
  return codec;
}

function expectWireType(actual: number, expected: number, number: number): void {
  if (actual !== expected) throw new DecodeError(`wrong wire type ${actual} for field ${number}`);
}

interface Scalar<T, In = T> {
  name: FieldType['kind'];
  wireType: number;
  initial: T;
  read: (reader: WireReader) => T;
  write: (writer: WireWriter, value: In) => void;
  isDefault: (value: In) => boolean;
}

function scalar<T, In>(number: number, kind: Scalar<T, In>, values?: EnumValues): Field<T, In> {
  const tag = (number << 3) | kind.wireType;
  return {
    number,
    wireType: kind.wireType,
    type: values ? { kind: kind.name, values } : { kind: kind.name },
    initial: () => kind.initial,
    read(reader, _previous, wireType) {
      if (wireType !== kind.wireType) expectWireType(wireType, kind.wireType, number);
      return kind.read(reader);
    },
    write(writer, value) {
      if (kind.isDefault(value)) return;
      kind.write(writer, value);
      writer.uint32(tag);
    },
  };
}

const empty = Buffer.alloc(0);
const bytesKind: Scalar<Buffer, Uint8Array> = {
  name: 'bytes',
  wireType: WireType.bytes,
  initial: empty,
  read: (reader) => reader.bytes(),
  write: (writer, value) => writer.bytes(value),
  isDefault: (value) => value.length === 0,
};
const stringKind: Scalar<string> = {
  name: 'string',
  wireType: WireType.bytes,
  initial: '',
  read: (reader) => reader.string(),
  write: (writer, value) => writer.string(value),
  isDefault: (value) => value === '',
};
const boolKind: Scalar<boolean> = {
  name: 'bool',
  wireType: WireType.varint,
  initial: false,
  read: (reader) => reader.int64() !== 0,
  write: (writer, value) => writer.uint32(value ? 1 : 0),
  isDefault: (value) => !value,
};
const int64Kind: Scalar<number> = {
  name: 'int64',
  wireType: WireType.varint,
  initial: 0,
  read: (reader) => reader.int64(),
  write: (writer, value) => writer.int64(value),
  isDefault: (value) => value === 0,
};
const signedIdKind: Scalar<bigint> = {
  name: 'int64',
  wireType: WireType.varint,
  initial: 0n,
  read: (reader) => BigInt.asIntN(64, reader.uint64()),
  write: (writer, value) => writer.wide(value),
  isDefault: (value) => value === 0n,
};
const unsignedIdKind: Scalar<bigint> = { ...signedIdKind, name: 'uint64', read: (reader) => reader.uint64() };
const uint32Kind: Scalar<number> = { ...int64Kind, name: 'uint32' };
const uint64Kind: Scalar<number> = { ...int64Kind, name: 'uint64' };
const int32Kind: Scalar<number> = { ...int64Kind, name: 'int32', read: (reader) => reader.int64() | 0 };
const enumKind: Scalar<number> = { ...int32Kind, name: 'enum' };

/** `bytes` */
export const bytes = (number: number) => scalar(number, bytesKind);
/** `string` */
export const string = (number: number) => scalar(number, stringKind);
/** `bool` */
export const bool = (number: number) => scalar(number, boolKind);
/** `int64` that stays below 2^53: revisions, counts, sizes, seconds. */
export const int64 = (number: number) => scalar(number, int64Kind);
/** `uint64` that stays below 2^53. */
export const uint64 = (number: number) => scalar(number, uint64Kind);
/** `uint32` */
export const uint32 = (number: number) => scalar(number, uint32Kind);
/** `int32` */
export const int32 = (number: number) => scalar(number, int32Kind);
/** `int64` that uses all its bits: lease ids. */
export const int64Id = (number: number) => scalar(number, signedIdKind);
/** `uint64` that uses all its bits: member and cluster ids. */
export const uint64Id = (number: number) => scalar(number, unsignedIdKind);
/** An enum, as its number. Unknown numbers are kept, as proto3 demands. */
export const enumeration = (number: number, values: EnumValues) => scalar(number, enumKind, values);

/** An embedded message; `undefined` when absent. Given twice, the last one counts. */
export function embedded<T>(number: number, codec: () => Codec<T>): Field<T | undefined, Input<T>> {
  const tag = (number << 3) | WireType.bytes;
  return {
    number,
    wireType: WireType.bytes,
    type: { kind: 'message', message: codec },
    initial: () => undefined,
    read(reader, _previous, wireType) {
      expectWireType(wireType, WireType.bytes, number);
      const outer = reader.enter();
      const value = codec().read(reader);
      reader.leave(outer);
      return value;
    },
    write(writer, value) {
      writeEmbedded(writer, codec(), value);
      writer.uint32(tag);
    },
  };
}

function writeEmbedded<T>(writer: WireWriter, codec: Codec<T>, value: Input<T>): void {
  if (value instanceof Uint8Array) {
    writer.bytes(value);
    return;
  }
  const before = writer.length;
  codec.write(writer, value);
  writer.uint32(writer.length - before);
}

/** `repeated` of messages. */
export function repeated<T>(number: number, codec: () => Codec<T>): Field<T[], readonly Input<T>[]> {
  const tag = (number << 3) | WireType.bytes;
  return {
    number,
    wireType: WireType.bytes,
    type: { kind: 'message', repeated: true, message: codec },
    initial: () => [],
    read(reader, previous, wireType) {
      expectWireType(wireType, WireType.bytes, number);
      const outer = reader.enter();
      previous.push(codec().read(reader));
      reader.leave(outer);
      return previous;
    },
    write(writer, values) {
      for (let i = values.length - 1; i >= 0; i--) {
        writeEmbedded(writer, codec(), values[i]!);
        writer.uint32(tag);
      }
    },
  };
}

function repeatedBytes<T, In>(number: number, kind: Scalar<T, In>): Field<T[], readonly In[]> {
  const tag = (number << 3) | WireType.bytes;
  return {
    number,
    wireType: WireType.bytes,
    type: { kind: kind.name, repeated: true },
    initial: () => [],
    read(reader, previous, wireType) {
      expectWireType(wireType, WireType.bytes, number);
      previous.push(kind.read(reader));
      return previous;
    },
    write(writer, values) {
      for (let i = values.length - 1; i >= 0; i--) {
        kind.write(writer, values[i]!);
        writer.uint32(tag);
      }
    },
  };
}

/** `repeated string` */
export const strings = (number: number) => repeatedBytes(number, stringKind);
/** `repeated bytes` */
export const byteStrings = (number: number) => repeatedBytes(number, bytesKind);

/** Written packed, read packed or not. */
function packed<T, In>(number: number, kind: Scalar<T, In>, values?: EnumValues): Field<T[], readonly In[]> {
  const tag = (number << 3) | WireType.bytes;
  return {
    number,
    wireType: WireType.bytes,
    type: values ? { kind: kind.name, repeated: true, values } : { kind: kind.name, repeated: true },
    initial: () => [],
    read(reader, previous, wireType) {
      if (wireType === WireType.varint) {
        previous.push(kind.read(reader));
        return previous;
      }
      expectWireType(wireType, WireType.bytes, number);
      const outer = reader.enter();
      while (reader.position < reader.end) previous.push(kind.read(reader));
      reader.leave(outer);
      return previous;
    },
    write(writer, members) {
      if (members.length === 0) return;
      const before = writer.length;
      for (let i = members.length - 1; i >= 0; i--) kind.write(writer, members[i]!);
      writer.uint32(writer.length - before);
      writer.uint32(tag);
    },
  };
}

/** `repeated` enum */
export const enumerations = (number: number, values: EnumValues) => packed(number, enumKind, values);
/** `repeated int32` */
export const int32s = (number: number) => packed(number, int32Kind);

/** A scalar whose presence counts: written even when it has its default value, `undefined` when absent. */
function present<T, In>(number: number, kind: Scalar<T, In>): Field<T | undefined, In> {
  return {
    ...scalar<T | undefined, In>(number, { ...kind, isDefault: () => false }),
    initial: () => undefined,
  };
}

/** `optional int32` */
export const optionalInt32 = (number: number) => present(number, int32Kind);

/** A scalar inside a `oneof`: `undefined` when another is set. */
function member<T, In>(number: number, oneof: string, kind: Scalar<T, In>): Field<T | undefined, In> {
  return { ...present(number, kind), oneof };
}

export const memberInt64 = (number: number, oneof: string) => member(number, oneof, int64Kind);
export const memberInt64Id = (number: number, oneof: string) => member(number, oneof, signedIdKind);
export const memberBytes = (number: number, oneof: string) => member(number, oneof, bytesKind);
export const memberString = (number: number, oneof: string) => member(number, oneof, stringKind);
/** A message inside a `oneof`. */
export const memberMessage = <T>(number: number, oneof: string, codec: () => Codec<T>) => ({
  ...embedded(number, codec),
  oneof,
});
