import { setTimeout as delay } from 'node:timers/promises';
import { EventType, type WatchRequest, type WatchResponse } from '../../api/etcd/messages.ts';
import type { GrpcClient, OpenStream } from '../../store/grpc/client.ts';
import { EtcdClient } from '../../store/testing/etcd.ts';
import { unpack } from './store-values.ts';
import type { SeenResponse } from './store-watch-rules.ts';

export interface WatchingOptions {
  connect: () => Promise<GrpcClient>;
  /** etcd 3.4 sends progress before it has sent everything; only our store promises more. */
  trustProgress: boolean;
}

/** A watcher of all keys under `k/` that resumes, after every interruption, behind the last event it has seen. */
export class Watching {
  readonly responses: SeenResponse[] = [];
  /** The revision it resumes from. */
  next = 1;
  private readonly options: WatchingOptions;
  private stopped = false;
  private connection: GrpcClient | undefined;

  constructor(options: WatchingOptions) {
    this.options = options;
  }

  stop(): void {
    this.stopped = true;
    this.connection?.close();
  }

  /** Watches until it is stopped. */
  async run(): Promise<void> {
    while (!this.stopped) {
      try {
        this.connection = await this.options.connect();
        await this.watchOnce(new EtcdClient(this.connection));
        this.connection.close();
      } catch {
        await delay(10);
      }
    }
  }

  private watchOnce(etcd: EtcdClient): Promise<void> {
    return new Promise((resolve) => {
      let goesOn = true;
      const stream = etcd.watch({
        onMessage: (response) => {
          // Progress on a stream that has lost its watch says nothing about the next one.
          if (goesOn) goesOn = this.receive(response, stream);
          if (!goesOn) resolve();
        },
        onEnd: () => resolve(),
      });
      stream.write({
        create_request: {
          key: Buffer.from('k/'),
          range_end: Buffer.from('k0'),
          start_revision: this.next,
          prev_kv: true,
        },
      });
    });
  }

  /** Returns whether the watch goes on. */
  private receive(response: WatchResponse, stream: OpenStream<WatchRequest>): boolean {
    if (response.canceled) {
      if (response.compact_revision > 0) this.next = response.compact_revision;
      return false;
    }
    if (response.created) {
      stream.write({ progress_request: {} });
      return true;
    }
    this.responses.push({
      headerRevision: response.header!.revision,
      start: this.next,
      progress: response.events.length === 0 && this.options.trustProgress,
      events: response.events.map(({ type, kv, prev_kv }) => ({
        revision: kv!.mod_revision,
        key: String(kv!.key),
        value: type === EventType.delete ? null : unpack(kv!.value),
        createRevision: kv!.create_revision,
        version: kv!.version,
        previous: prev_kv ? unpack(prev_kv.value) : undefined,
      })),
    });
    const last = response.events.at(-1)?.kv?.mod_revision;
    if (last !== undefined) this.next = last + 1;
    return true;
  }
}
