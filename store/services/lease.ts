import {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseLeasesRequest,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from '../../api/etcd/messages.ts';
import { bidi, type Service, unary } from '../grpc/service.ts';
import { header, type StoreContext } from './context.ts';

/** etcd's Lease service: https://etcd.io/docs/v3.5/learning/api/#lease-api */
export function leaseService(context: StoreContext, randomId: () => bigint): Service {
  const { lessor, quota, member } = context;
  return {
    name: 'etcdserverpb.Lease',
    methods: {
      LeaseGrant: unary(LeaseGrantRequest, LeaseGrantResponse, async ({ ID, TTL }, call) => {
        quota.check(call.requestSize, member.alarms);
        const lease = await lessor.grant(ID, TTL, randomId);
        return { header: header(context), ID: lease.id, TTL: lease.ttl };
      }),

      LeaseRevoke: unary(LeaseRevokeRequest, LeaseRevokeResponse, async ({ ID }) => {
        await lessor.revoke(ID);
        return { header: header(context) };
      }),

      LeaseKeepAlive: bidi(LeaseKeepAliveRequest, LeaseKeepAliveResponse, (stream) => {
        // Answers leave in the order of the requests, since the writer keeps it.
        let open = 0;
        let ended = false;
        const finish = () => {
          if (ended && open === 0) stream.end();
        };
        stream.onMessage(({ ID }) => {
          open++;
          lessor
            .keepAlive(ID)
            .then(
              (ttl) => stream.write({ header: header(context), ID, TTL: ttl ?? 0 }),
              (error: unknown) => stream.end(error),
            )
            .finally(() => {
              open--;
              finish();
            });
        });
        stream.onEnd(() => {
          ended = true;
          finish();
        });
      }),

      LeaseTimeToLive: unary(LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, async ({ ID, keys }) => {
        const found = await lessor.timeToLive(ID, keys);
        if (!found) return { header: header(context), ID, TTL: -1 };
        return {
          header: header(context),
          ID,
          TTL: found.left,
          grantedTTL: found.granted,
          keys: found.keys,
        };
      }),

      LeaseLeases: unary(LeaseLeasesRequest, LeaseLeasesResponse, async () => ({
        header: header(context),
        leases: (await lessor.list()).map((ID) => ({ ID })),
      })),
    },
  };
}
