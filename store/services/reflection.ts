import { embedded, enumeration, memberMessage, message, repeated, string } from '../../api/etcd/codec.ts';
import { bidi, type Service } from '../grpc/service.ts';
import { Code } from '../grpc/status.ts';

const ServiceResponse = message({ name: string(1) });
const ListServiceResponse = message({ service: repeated(1, () => ServiceResponse) });
const ErrorResponse = message({ error_code: enumeration(1), error_message: string(2) });

export const ServerReflectionRequest = message({
  host: string(1),
  file_by_filename: string(3),
  file_containing_symbol: string(4),
  list_services: string(7),
});
export const ServerReflectionResponse = message({
  valid_host: string(1),
  original_request: embedded(2, () => ServerReflectionRequest),
  list_services_response: memberMessage(6, 'message_response', () => ListServiceResponse),
  error_response: memberMessage(7, 'message_response', () => ErrorResponse),
});

/**
 * gRPC's server reflection, as far as the names of the services; the descriptors are etcd's published `.proto`
 * files, which this server does not carry.
 * https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
 */
export function reflectionService(version: 'v1' | 'v1alpha', services: () => readonly string[]): Service {
  return {
    name: `grpc.reflection.${version}.ServerReflection`,
    methods: {
      ServerReflectionInfo: bidi(ServerReflectionRequest, ServerReflectionResponse, (stream) => {
        stream.onMessage((request) => {
          const common = { valid_host: request.host, original_request: request };
          if (request.file_by_filename || request.file_containing_symbol)
            stream.write({
              ...common,
              error_response: {
                error_code: Code.notFound,
                error_message: "descriptors are not served; use etcd's rpc.proto",
              },
            });
          else
            stream.write({
              ...common,
              list_services_response: { service: services().map((name) => ({ name })) },
            });
        });
        stream.onEnd(() => stream.end());
      }),
    },
  };
}
