import { WatchRequest, WatchResponse } from '../../api/etcd/messages.ts';
import { bidi, type Service } from '../grpc/service.ts';
import { WatchStream } from '../watch/stream.ts';
import { header, type StoreContext } from './context.ts';

/** etcd's bounds, in milliseconds. */
const defaultInterval = 600_000;
const shortestInterval = 100;

/**
 * etcd's Watch service: https://etcd.io/docs/v3.5/learning/api/#watch-api
 *
 * @param interval Milliseconds between progress notifications; 0: etcd's ten minutes.
 */
export function watchService(context: StoreContext, interval: number): Service {
  const streams = new Set<WatchStream>();
  const progressInterval = Math.max(interval || defaultInterval, shortestInterval);
  setInterval(() => {
    for (const stream of streams) stream.notifyProgress();
  }, progressInterval).unref();
  let revision = context.mvcc.revision;
  let current = header(context);
  const currentHeader = () => {
    if (revision !== context.mvcc.revision) {
      revision = context.mvcc.revision;
      current = header(context);
    }
    return current;
  };
  return {
    name: 'etcdserverpb.Watch',
    methods: {
      Watch: bidi(WatchRequest, WatchResponse, (stream) => {
        const watches = new WatchStream({
          hub: context.hub,
          stream,
          header: currentHeader,
          revision: () => context.mvcc.revision,
          fragmentBytes: context.limits.maxRequestBytes,
        });
        streams.add(watches);
        stream.onCancel(() => streams.delete(watches));
      }),
    },
  };
}
