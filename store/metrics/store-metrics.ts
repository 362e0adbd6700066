import { type Code, codeNames } from '../grpc/status.ts';
import type { StoreContext } from '../services/context.ts';
import { type Counter, type Histogram, labelText, MetricsRegistry } from './registry.ts';

const fsyncBounds = Array.from({ length: 14 }, (_, i) => 0.001 * 2 ** i);

interface CallLabels {
  started: string;
  handled: string;
  method: string | undefined;
}

/** The store's metrics, with etcd's names where they mean the same. */
export class StoreMetrics {
  readonly registry = new MetricsRegistry();
  readonly commitSeconds: Histogram;
  private readonly callLabels = new Map<string, CallLabels>();
  private readonly started: Counter;
  private readonly handled: Counter;
  private readonly requests: Counter;
  readonly puts: Counter;
  readonly deletes: Counter;

  constructor() {
    const { registry } = this;
    this.commitSeconds = registry.histogram(
      'etcd_disk_wal_fsync_duration_seconds',
      'The latency distributions of making a group of writes durable.',
      fsyncBounds,
    );
    this.started = registry.counter(
      'grpc_server_started_total',
      'Total number of RPCs started on the server.',
    );
    this.handled = registry.counter(
      'grpc_server_handled_total',
      'Total number of RPCs completed on the server, regardless of success or failure.',
    );
    this.requests = registry.counter('nkube_store_request_seconds_total', 'Time spent in RPCs by method.');
    this.puts = registry.counter('etcd_mvcc_put_total', 'Total number of puts seen by this member.');
    this.deletes = registry.counter('etcd_mvcc_delete_total', 'Total number of deletes seen by this member.');
    this.puts.add(0);
    this.deletes.add(0);
  }

  /** Counts a finished call; streaming calls are told apart by the names of Prometheus' middleware. */
  call(path: string, code: Code, seconds: number): void {
    const { started, handled, method } = this.labelsOf(path, code);
    this.started.addTo(started);
    this.handled.addTo(handled);
    if (method) this.requests.addTo(method, seconds);
  }

  private labelsOf(path: string, code: Code): CallLabels {
    const key = `${code}${path}`;
    let labels = this.callLabels.get(key);
    if (!labels) {
      const [, service = '', method = ''] = path.split('/');
      const streaming = method === 'Watch' || method === 'LeaseKeepAlive';
      const common = {
        grpc_method: method,
        grpc_service: service,
        grpc_type: streaming ? 'bidi_stream' : 'unary',
      };
      labels = {
        started: labelText(common),
        handled: labelText({ grpc_code: codeNames[code], ...common }),
        method: streaming ? undefined : labelText({ grpc_method: method }),
      };
      this.callLabels.set(key, labels);
    }
    return labels;
  }

  /** Adds what is read from the parts of a running store. */
  observe(context: StoreContext): void {
    const { registry } = this;
    const { mvcc, lessor, hub, member, quota } = context;
    registry.gauge('etcd_server_has_leader', 'Whether or not a leader exists.', () => 1);
    registry.gauge('etcd_server_is_leader', 'Whether or not this member is a leader.', () => 1);
    registry.gauge('etcd_server_is_learner', 'Whether or not this member is a learner.', () => 0);
    registry.gauge('etcd_server_id', 'Server or member ID in hexadecimal format.', () => 1, {
      server_id: member.memberId.toString(16),
    });
    registry.counted(
      'etcd_server_proposals_committed_total',
      'The total number of revisions committed.',
      () => mvcc.revision,
    );
    registry.gauge(
      'etcd_server_proposals_pending',
      'The current number of operations waiting for the writer.',
      () => mvcc.waitingCount,
    );
    registry.gauge('etcd_server_quota_backend_bytes', 'Current quota in bytes.', () => quota.limit);
    registry.gauge(
      'etcd_mvcc_db_total_size_in_bytes',
      'Total size of the files in bytes.',
      () => quota.fileBytes,
    );
    registry.gauge(
      'etcd_mvcc_db_total_size_in_use_in_bytes',
      'Total size of the records in bytes.',
      () => context.disk.bytesInUse,
    );
    registry.gauge('etcd_debugging_mvcc_keys_total', 'Total number of keys.', () => mvcc.size);
    registry.gauge(
      'etcd_debugging_mvcc_current_revision',
      'The current revision of store.',
      () => mvcc.revision,
    );
    registry.gauge(
      'etcd_debugging_mvcc_compact_revision',
      'The revision of the last compaction in store.',
      () => mvcc.compactRevision,
    );
    registry.gauge('etcd_debugging_mvcc_watcher_total', 'Total number of watchers.', () => hub.watcherCount);
    registry.gauge(
      'etcd_debugging_mvcc_slow_watcher_total',
      'Total number of unsynced slow watchers.',
      () => hub.lateCount,
    );
    registry.counted(
      'etcd_debugging_mvcc_events_total',
      'Total number of events sent by this member.',
      () => hub.eventCount,
    );
    registry.gauge('nkube_store_leases', 'Number of leases.', () => lessor.size);
    registry.gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', () =>
      process.memoryUsage.rss(),
    );
    registry.counted('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.', () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
    const started = Date.now() / 1000 - process.uptime();
    registry.gauge(
      'process_start_time_seconds',
      'Start time of the process since unix epoch.',
      () => started,
    );
  }
}
