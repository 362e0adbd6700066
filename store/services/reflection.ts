import type { Input } from '../../api/etcd/codec.ts';
import * as etcdMessages from '../../api/etcd/messages.ts';
import { bidi, type Service } from '../grpc/service.ts';
import { Code, GrpcError } from '../grpc/status.ts';
import type { AnyCodec } from './descriptor-proto.ts';
import { type DescribedFiles, describeFiles, type ProtoFile } from './file-descriptors.ts';
import { HealthCheckRequest, HealthCheckResponse } from './health.ts';
import {
  ErrorResponse,
  ExtensionNumberResponse,
  ExtensionRequest,
  FileDescriptorResponse,
  ListServiceResponse,
  ServerReflectionRequest,
  ServerReflectionResponse,
  ServiceResponse,
} from './reflection-messages.ts';

/** Under the names that etcd's own `.proto` files have when they are compiled. */
function protoFiles(): ProtoFile[] {
  const { KeyValue, Event, UserAddOptions, Permission, ...rest } = etcdMessages;
  // The enums beside them are described with the messages that use them.
  const messages: Record<string, AnyCodec> = {};
  for (const [name, item] of Object.entries(rest)) if ('decode' in item) messages[name] = item as AnyCodec;
  const reflection = {
    ServerReflectionRequest,
    ExtensionRequest,
    ServerReflectionResponse,
    FileDescriptorResponse,
    ExtensionNumberResponse,
    ListServiceResponse,
    ServiceResponse,
    ErrorResponse,
  };
  return [
    { name: 'kv.proto', package: 'mvccpb', messages: { KeyValue, Event } },
    { name: 'auth.proto', package: 'authpb', messages: { UserAddOptions, Permission } },
    { name: 'rpc.proto', package: 'etcdserverpb', messages },
    {
      name: 'grpc/health/v1/health.proto',
      package: 'grpc.health.v1',
      messages: { HealthCheckRequest, HealthCheckResponse },
    },
    ...['v1', 'v1alpha'].map((version) => ({
      name: `grpc/reflection/${version}/reflection.proto`,
      package: `grpc.reflection.${version}`,
      messages: reflection,
    })),
  ];
}

/**
 * gRPC's server reflection: what the server speaks, for clients that have no `.proto` files. Options and comments
 * of etcd's files are not served.
 * https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
 *
 * @param services All services of the server; asked for on the first call, when the descriptors are made.
 */
export function reflectionServices(services: () => readonly Service[]): Service[] {
  let described: DescribedFiles | undefined;
  const describe = () => {
    described ??= describeFiles(protoFiles(), services());
    return described;
  };
  return (['v1', 'v1alpha'] as const).map((version) => ({
    name: `grpc.reflection.${version}.ServerReflection`,
    methods: {
      ServerReflectionInfo: bidi(ServerReflectionRequest, ServerReflectionResponse, (stream) => {
        const answers = new Answers(describe(), services);
        stream.onMessage((request) => {
          const answer = answers.to(request);
          if (answer) stream.write({ valid_host: request.host, original_request: request, ...answer });
          else stream.end(new GrpcError(Code.invalidArgument, 'the request asks for nothing'));
        });
        stream.onEnd(() => stream.end());
      }),
    },
  }));
}

const notFound = (error_message: string) => ({
  error_response: { error_code: Code.notFound, error_message },
});

/** The answers on one stream. */
class Answers {
  private readonly described: DescribedFiles;
  private readonly services: () => readonly Service[];
  private readonly sent = new Set<string>();

  constructor(described: DescribedFiles, services: () => readonly Service[]) {
    this.described = described;
    this.services = services;
  }

  /** Undefined for a request that asks for nothing. */
  to(request: ServerReflectionRequest): Input<ServerReflectionResponse & object> | undefined {
    const { symbols, messages } = this.described;
    if (request.file_by_filename !== undefined) return this.file(request.file_by_filename);
    if (request.file_containing_symbol !== undefined) {
      const symbol = request.file_containing_symbol;
      const file = symbols.get(symbol);
      return file === undefined ? notFound(`symbol not found: ${symbol}`) : this.file(file);
    }
    if (request.file_containing_extension) {
      // None of the files has an extension.
      const { containing_type, extension_number } = request.file_containing_extension;
      return notFound(`extension not found: ${extension_number} of ${containing_type}`);
    }
    if (request.all_extension_numbers_of_type !== undefined) {
      const base_type_name = request.all_extension_numbers_of_type;
      if (!messages.has(base_type_name)) return notFound(`type not found: ${base_type_name}`);
      return { all_extension_numbers_response: { base_type_name } };
    }
    if (request.list_services === undefined) return undefined;
    const names = this.services().map(({ name }) => name);
    return { list_services_response: { service: names.sort().map((name) => ({ name })) } };
  }

  /** A file, and those it needs unless the stream has brought them. */
  private file(name: string): Input<ServerReflectionResponse & object> {
    const { files } = this.described;
    if (!files.has(name)) return notFound(`file not found: ${name}`);
    const wanted = [name];
    for (const file of wanted)
      for (const dependency of files.get(file)!.dependencies)
        if (!this.sent.has(dependency) && !wanted.includes(dependency)) wanted.push(dependency);
    for (const file of wanted) this.sent.add(file);
    return {
      file_descriptor_response: { file_descriptor_proto: wanted.map((file) => files.get(file)!.bytes) },
    };
  }
}
