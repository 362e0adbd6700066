import { enumeration, enumType, message, string } from '../../api/etcd/codec.ts';
import { type Service, serverStream, unary } from '../grpc/service.ts';
import { Code, GrpcError } from '../grpc/status.ts';

export const HealthCheckRequest = message({ service: string(1) });
export const ServingStatus = enumType('HealthCheckResponse.ServingStatus', {
  unknown: 0,
  serving: 1,
  notServing: 2,
  /** Only a watch is told so. */
  serviceUnknown: 3,
});
export const HealthCheckResponse = message({ status: enumeration(1, ServingStatus) });

/**
 * gRPC's health service: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 * The empty name stands for the whole server.
 */
export function healthService(options: {
  healthy: () => boolean;
  knows: (service: string) => boolean;
}): Service {
  const known = (service: string) => service === '' || options.knows(service);
  const status = () => ({ status: options.healthy() ? ServingStatus.serving : ServingStatus.notServing });
  return {
    name: 'grpc.health.v1.Health',
    methods: {
      Check: unary(HealthCheckRequest, HealthCheckResponse, ({ service }) => {
        if (!known(service)) throw new GrpcError(Code.notFound, 'unknown service');
        return status();
      }),
      Watch: serverStream(HealthCheckRequest, HealthCheckResponse, ({ service }, stream) => {
        // The store stops serving only by ending, which ends the stream.
        stream.write(known(service) ? status() : { status: ServingStatus.serviceUnknown });
      }),
    },
  };
}
