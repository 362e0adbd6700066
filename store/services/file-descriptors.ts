import { type EnumValues, enumName, type Field } from '../../api/etcd/codec.ts';
import type { Service } from '../grpc/service.ts';
import {
  type AnyCodec,
  type DescriptorProto,
  type EnumDescriptorProto,
  FieldKind,
  FieldLabel,
  FileDescriptorProto,
  type ServiceDescriptorProto,
} from './descriptor-proto.ts';

/** The messages that a `.proto` file declares, by name, and where the file is known to be. */
export interface ProtoFile {
  name: string;
  package: string;
  messages: Readonly<Record<string, AnyCodec>>;
}

/** A file as reflection serves it. */
export interface DescribedFile {
  name: string;
  /** The files it refers to. */
  dependencies: readonly string[];
  /** A FileDescriptorProto. */
  bytes: Buffer;
}

/** Every file, and for each symbol in one (message, field, enum, value, service, method) the name of the file. */
export interface DescribedFiles {
  files: ReadonlyMap<string, DescribedFile>;
  symbols: ReadonlyMap<string, string>;
  /** Full names of the messages. */
  messages: ReadonlySet<string>;
}

/**
 * Describes files by the codecs and services that the server runs with, so that what is said of them is what they
 * do. A service belongs to the file of its package.
 */
export function describeFiles(sources: readonly ProtoFile[], services: readonly Service[]): DescribedFiles {
  const files = new Map<string, DescribedFile>();
  const symbols = new Map<string, string>();
  const messages = new Set<string>();
  for (const source of sources) {
    const proto = new FileDescription(source, sources).describe(services);
    const { name, dependency } = proto;
    files.set(name, { name, dependencies: dependency, bytes: FileDescriptorProto.encode(proto) });
    for (const symbol of symbolsOf(proto)) symbols.set(symbol, name);
    for (const { name: type } of proto.message_type) messages.add(`${proto.package}.${type}`);
  }
  return { files, symbols, messages };
}

/** One file while it is described. */
class FileDescription {
  private readonly file: ProtoFile;
  /** Full names; those of the file itself win, since two files may share a codec. */
  private readonly names = new Map<AnyCodec, { name: string; file: string }>();
  private readonly dependencies = new Set<string>();
  private readonly enums = new Map<string, EnumValues>();
  private readonly all: readonly ProtoFile[];

  constructor(file: ProtoFile, all: readonly ProtoFile[]) {
    this.file = file;
    this.all = all;
    for (const { name, package: scope, messages } of [...all, file])
      for (const [type, codec] of Object.entries(messages))
        this.names.set(codec, { name: `.${scope}.${type}`, file: name });
  }

  describe(services: readonly Service[]): FileDescriptorProto {
    const { name, package: scope, messages } = this.file;
    const message_type = Object.entries(messages).map(([type, codec]) => this.message(type, codec));
    for (const [path, values] of this.enums) {
      const parts = path.split('.');
      const parent = message_type.find((type) => type.name === parts[0]);
      if (parts.length > 1) parent?.enum_type.push(enumOf(parts.at(-1)!, values));
    }
    return {
      name,
      package: scope,
      message_type,
      enum_type: [...this.enums].flatMap(([path, values]) =>
        path.includes('.') ? [] : [enumOf(path, values)],
      ),
      service: services.flatMap((service) => {
        const dot = service.name.lastIndexOf('.');
        return service.name.slice(0, dot) === scope
          ? [this.service(service.name.slice(dot + 1), service)]
          : [];
      }),
      dependency: this.all.flatMap((other) => (this.dependencies.has(other.name) ? [other.name] : [])),
      syntax: 'proto3',
    };
  }

  private reference(codec: AnyCodec): string {
    const found = this.names.get(codec);
    if (!found) throw new Error(`${this.file.name} uses a message that no file declares`);
    if (found.file !== this.file.name) this.dependencies.add(found.file);
    return found.name;
  }

  private message(name: string, { fields }: AnyCodec): DescriptorProto {
    const entries = Object.entries(fields);
    const oneofs = [...new Set(entries.flatMap(([, { oneof }]) => oneof ?? []))];
    return {
      name,
      field: entries.map(([field, declared]) => this.field(field, declared, oneofs)),
      enum_type: [],
      oneof_decl: oneofs.map((oneof) => ({ name: oneof })),
    };
  }

  private field(name: string, { number, type, oneof }: Field<unknown, never>, oneofs: readonly string[]) {
    const index = oneof === undefined ? -1 : oneofs.indexOf(oneof);
    return {
      name,
      number,
      label: type.repeated ? FieldLabel.labelRepeated : FieldLabel.labelOptional,
      type: FieldKind[type.kind],
      type_name: type.message ? this.reference(type.message()) : type.values ? this.enum(type.values) : '',
      oneof_index: index < 0 ? undefined : index,
      json_name: name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
    };
  }

  private enum(values: EnumValues): string {
    const path = enumName(values);
    this.enums.set(path, values);
    return `.${this.file.package}.${path}`;
  }

  private service(name: string, { methods }: Service): ServiceDescriptorProto {
    return {
      name,
      method: Object.entries(methods).map(([method, { kind, request, response }]) => ({
        name: method,
        input_type: this.reference(request),
        output_type: this.reference(response),
        client_streaming: kind === 'bidi',
        server_streaming: kind !== 'unary',
      })),
    };
  }
}

/** `notEqual` is NOT_EQUAL in the file. */
function enumOf(name: string, values: EnumValues): EnumDescriptorProto {
  const value = Object.entries(values).map(([constant, number]) => ({
    name: constant.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(),
    number,
  }));
  return { name, value };
}

function symbolsOf({ package: scope, message_type, enum_type, service }: FileDescriptorProto): string[] {
  // The values of an enum are names beside it, not inside.
  const ofEnum = (prefix: string, { name, value }: EnumDescriptorProto) =>
    [name, ...value.map((item) => item.name)].map((symbol) => `${prefix}.${symbol}`);
  return [
    ...message_type.flatMap((type) => {
      const prefix = `${scope}.${type.name}`;
      const members = [...type.field, ...type.oneof_decl].map(({ name }) => `${prefix}.${name}`);
      return [prefix, ...members, ...type.enum_type.flatMap((nested) => ofEnum(prefix, nested))];
    }),
    ...enum_type.flatMap((type) => ofEnum(scope, type)),
    ...service.flatMap(({ name, method }) => [
      `${scope}.${name}`,
      ...method.map((item) => `${scope}.${name}.${item.name}`),
    ]),
  ];
}
