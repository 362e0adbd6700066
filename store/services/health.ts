import { enumeration, message, string } from '../../api/etcd/codec.ts';
import { type Service, serverStream, unary } from '../grpc/service.ts';
import { Code, GrpcError } from '../grpc/status.ts';

export const HealthCheckRequest = message({ service: string(1) });
export const HealthCheckResponse = message({ status: enumeration(1) });
export const ServingStatus = { serving: 1, notServing: 2 } as const;

/**
 * gRPC's health service: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 * The empty name stands for the whole server.
 */
export function healthService(options: {
  healthy: () => boolean;
  knows: (service: string) => boolean;
}): Service {
  const status = (service: string) => {
    if (service !== '' && !options.knows(service)) throw new GrpcError(Code.notFound, 'unknown service');
    return { status: options.healthy() ? ServingStatus.serving : ServingStatus.notServing };
  };
  return {
    name: 'grpc.health.v1.Health',
    methods: {
      Check: unary(HealthCheckRequest, HealthCheckResponse, ({ service }) => status(service)),
      Watch: serverStream(HealthCheckRequest, HealthCheckResponse, ({ service }, stream) => {
        // The store stops serving only by ending, which ends the stream.
        stream.write(status(service));
      }),
    },
  };
}
