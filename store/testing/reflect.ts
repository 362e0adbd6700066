import type { Input } from '../../api/etcd/codec.ts';
import type { GrpcClient } from '../grpc/client.ts';
import { FileDescriptorProto } from '../services/descriptor-proto.ts';
import { ServerReflectionRequest, ServerReflectionResponse } from '../services/reflection-messages.ts';

export type ReflectionVersion = 'v1' | 'v1alpha';

/** Asks a server's reflection, all requests on one stream; the answers are in the order of the requests. */
export function reflect(
  client: GrpcClient,
  requests: readonly Input<ServerReflectionRequest>[],
  version: ReflectionVersion = 'v1',
): Promise<ServerReflectionResponse[]> {
  return new Promise((resolve, reject) => {
    const answers: ServerReflectionResponse[] = [];
    const stream = client.stream(
      `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      { request: ServerReflectionRequest, response: ServerReflectionResponse },
      {
        onMessage: (message) => answers.push(message),
        onEnd: (error) => (error ? reject(error) : resolve(answers)),
      },
    );
    for (const request of requests) stream.write(request);
    stream.end();
  });
}

/** The files of an answer. */
export function filesOf({ file_descriptor_response }: ServerReflectionResponse): FileDescriptorProto[] {
  return (file_descriptor_response?.file_descriptor_proto ?? []).map((bytes) =>
    FileDescriptorProto.decode(bytes),
  );
}
