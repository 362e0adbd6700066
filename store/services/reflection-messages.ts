import {
  byteStrings,
  embedded,
  type Infer,
  int32,
  int32s,
  memberMessage,
  memberString,
  message,
  repeated,
  string,
} from '../../api/etcd/codec.ts';

/**
 * The messages of gRPC's server reflection, the same in v1 and v1alpha:
 * https://github.com/grpc/grpc-proto/blob/master/grpc/reflection/v1/reflection.proto
 */

export const ExtensionRequest = message({ containing_type: string(1), extension_number: int32(2) });

export const ServerReflectionRequest = message({
  host: string(1),
  file_by_filename: memberString(3, 'message_request'),
  file_containing_symbol: memberString(4, 'message_request'),
  file_containing_extension: memberMessage(5, 'message_request', () => ExtensionRequest),
  all_extension_numbers_of_type: memberString(6, 'message_request'),
  list_services: memberString(7, 'message_request'),
});
export type ServerReflectionRequest = Infer<typeof ServerReflectionRequest>;

export const FileDescriptorResponse = message({ file_descriptor_proto: byteStrings(1) });

export const ExtensionNumberResponse = message({ base_type_name: string(1), extension_number: int32s(2) });

export const ServiceResponse = message({ name: string(1) });

export const ListServiceResponse = message({ service: repeated(1, () => ServiceResponse) });

export const ErrorResponse = message({ error_code: int32(1), error_message: string(2) });

export const ServerReflectionResponse = message({
  valid_host: string(1),
  original_request: embedded(2, () => ServerReflectionRequest),
  file_descriptor_response: memberMessage(4, 'message_response', () => FileDescriptorResponse),
  all_extension_numbers_response: memberMessage(5, 'message_response', () => ExtensionNumberResponse),
  list_services_response: memberMessage(6, 'message_response', () => ListServiceResponse),
  error_response: memberMessage(7, 'message_response', () => ErrorResponse),
});
export type ServerReflectionResponse = Infer<typeof ServerReflectionResponse>;
