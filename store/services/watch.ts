import { WatchRequest, WatchResponse } from '../../api/etcd/messages.ts';
import { bidi, type Service } from '../grpc/service.ts';
import { WatchStream } from '../watch/stream.ts';
import { header, type StoreContext } from './context.ts';

/** Milliseconds between progress notifications, as etcd's. */
const progressInterval = 600_000;

/** etcd's Watch service: https://etcd.io/docs/v3.5/learning/api/#watch-api */
export function watchService(context: StoreContext, onStream: (change: 1 | -1) => void): Service {
  const streams = new Set<WatchStream>();
  setInterval(() => {
    for (const stream of streams) stream.notifyProgress();
  }, progressInterval).unref();
  return {
    name: 'etcdserverpb.Watch',
    methods: {
      Watch: bidi(WatchRequest, WatchResponse, (stream) => {
        const watches = new WatchStream({
          hub: context.hub,
          stream,
          header: () => header(context),
          revision: () => context.mvcc.revision,
          fragmentBytes: context.limits.maxRequestBytes,
        });
        streams.add(watches);
        onStream(1);
        stream.onCancel(() => {
          streams.delete(watches);
          onStream(-1);
        });
      }),
    },
  };
}
