import {
  bool,
  type Codec,
  enumeration,
  enumType,
  type Infer,
  int32,
  message,
  optionalInt32,
  repeated,
  string,
  strings,
} from '../../api/etcd/codec.ts';

/**
 * What gRPC reflection says of a `.proto` file: the part of google/protobuf/descriptor.proto that a proto3 file
 * without options needs.
 */

export const FieldLabel = enumType('FieldDescriptorProto.Label', { labelOptional: 1, labelRepeated: 3 });

export const FieldKind = enumType('FieldDescriptorProto.Type', {
  int64: 3,
  uint64: 4,
  int32: 5,
  bool: 8,
  string: 9,
  message: 11,
  bytes: 12,
  uint32: 13,
  enum: 14,
});

export const FieldDescriptorProto = message({
  name: string(1),
  number: int32(3),
  label: enumeration(4, FieldLabel),
  type: enumeration(5, FieldKind),
  /** Of a message or enum: its full name with a dot in front. */
  type_name: string(6),
  oneof_index: optionalInt32(9),
  json_name: string(10),
});

const OneofDescriptorProto = message({ name: string(1) });

const EnumValueDescriptorProto = message({ name: string(1), number: optionalInt32(2) });

export const EnumDescriptorProto = message({
  name: string(1),
  value: repeated(2, () => EnumValueDescriptorProto),
});
export type EnumDescriptorProto = Infer<typeof EnumDescriptorProto>;

export const DescriptorProto = message({
  name: string(1),
  field: repeated(2, () => FieldDescriptorProto),
  enum_type: repeated(4, () => EnumDescriptorProto),
  oneof_decl: repeated(8, () => OneofDescriptorProto),
});
export type DescriptorProto = Infer<typeof DescriptorProto>;

const MethodDescriptorProto = message({
  name: string(1),
  input_type: string(2),
  output_type: string(3),
  client_streaming: bool(5),
  server_streaming: bool(6),
});

export const ServiceDescriptorProto = message({
  name: string(1),
  method: repeated(2, () => MethodDescriptorProto),
});
export type ServiceDescriptorProto = Infer<typeof ServiceDescriptorProto>;

export const FileDescriptorProto = message({
  name: string(1),
  package: string(2),
  dependency: strings(3),
  message_type: repeated(4, () => DescriptorProto),
  enum_type: repeated(5, () => EnumDescriptorProto),
  service: repeated(6, () => ServiceDescriptorProto),
  syntax: string(12),
});
export type FileDescriptorProto = Infer<typeof FileDescriptorProto>;

/** Any codec: descriptors do not ask for the type of what it reads. */
export type AnyCodec = Codec<unknown>;
