import { randomBytes } from 'node:crypto';
import { AlarmType } from '../api/etcd/messages.ts';
import { AutoCompaction, parseRetention } from './auto-compaction.ts';
import { openData } from './data.ts';
import type { StoreFlags } from './flags.ts';
import { Listener, type TlsFiles } from './grpc/listen.ts';
import { GrpcServer } from './grpc/server.ts';
import type { Service } from './grpc/service.ts';
import { handleHttp } from './http.ts';
import type { Logger } from './log.ts';
import { type Member, MemberRecord } from './member.ts';
import { StoreMetrics } from './metrics/store-metrics.ts';
import type { Disk } from './mvcc/disk.ts';
import type { Mvcc } from './mvcc/mvcc.ts';
import { Quota } from './quota.ts';
import { authService } from './services/auth.ts';
import { clusterService } from './services/cluster.ts';
import type { StoreContext } from './services/context.ts';
import { healthService } from './services/health.ts';
import { kvService } from './services/kv.ts';
import { leaseService } from './services/lease.ts';
import { maintenanceService } from './services/maintenance.ts';
import { reflectionServices } from './services/reflection.ts';
import { watchService } from './services/watch.ts';

/** etcd's allowance for what gRPC adds to a request. */
const overheadBytes = 512 * 1024;
/** Milliseconds that clients have to finish their calls when the store stops. */
const stopGrace = 500;

const random64 = () => randomBytes(8).readBigUInt64BE();
/** Positive and not 0. */
const randomLeaseId = () => (random64() >> 1n) | 1n;

/** The store, listening. */
export class StoreServer {
  private readonly context: StoreContext;
  private readonly grpc: GrpcServer;
  private readonly listeners: readonly Listener[];
  private readonly compaction: AutoCompaction;
  private readonly close: () => Promise<void>;

  private constructor(parts: {
    context: StoreContext;
    grpc: GrpcServer;
    listeners: readonly Listener[];
    compaction: AutoCompaction;
    close: () => Promise<void>;
  }) {
    this.context = parts.context;
    this.grpc = parts.grpc;
    this.listeners = parts.listeners;
    this.compaction = parts.compaction;
    this.close = parts.close;
  }

  /** @throws {Error} when the data cannot be used or a URL not be listened on. */
  static async start(flags: StoreFlags, log: Logger): Promise<StoreServer> {
    const start = performance.now();
    const onError = (error: unknown) => log.error({ err: error }, 'background work failed');
    const retention = parseRetention(flags['auto-compaction-mode'], flags['auto-compaction-retention']);
    const tls = tlsFiles(flags);
    const data = await openData(flags, log);
    const { mvcc } = data;
    const metrics = new StoreMetrics();
    data.metrics = metrics;
    const member = await loadMember(data.disk, mvcc, flags);
    const setAlarms = async (types: readonly number[], on: boolean) => {
      for (const type of types)
        if (on) member.alarms.add(type);
        else member.alarms.delete(type);
      if (types.length > 0) await saveMember(mvcc, member);
    };
    const quota = new Quota({
      limit: flags['quota-backend-bytes'],
      measure: () => data.disk.size(),
      now: () => performance.now(),
      raise: () => {
        log.error(
          { quota: quota.limit },
          'the quota is exceeded: writes are refused until the alarm is disarmed',
        );
        setAlarms([AlarmType.nospace], true).catch(onError);
      },
      onError,
    });
    await quota.measure();
    data.lessor.start(mvcc);
    const context: StoreContext = {
      ...data,
      member,
      quota,
      dataDir: flags['data-dir'],
      setAlarms,
      limits: { maxTxnOps: flags['max-txn-ops'], maxRequestBytes: flags['max-request-bytes'] },
    };
    metrics.observe(context);
    const compaction = new AutoCompaction({
      retention,
      now: () => performance.now(),
      revision: () => mvcc.revision,
      compactRevision: () => mvcc.compactRevision,
      compact: (revision) => mvcc.compact(revision),
      onError,
    });
    const services = allServices(context, flags);
    const grpc = new GrpcServer({
      services,
      maxMessageSize: flags['max-request-bytes'] + overheadBytes,
      onCall: (path, code, seconds) => metrics.call(path, code, seconds),
      onFault: (error, path) => log.error({ err: error, path }, 'call failed'),
    });
    const http = handleHttp(context, metrics);
    const listeners: Listener[] = [];
    for (const url of [...flags['listen-client-urls'], ...flags['listen-metrics-urls']])
      listeners.push(await Listener.open({ url, tls, grpc, http }));
    log.info(
      {
        urls: flags['listen-client-urls'],
        ports: listeners.map(({ port }) => port),
        revision: mvcc.revision,
        keys: mvcc.size,
        ms: Math.round(performance.now() - start),
      },
      'serving',
    );
    return new StoreServer({ context, grpc, listeners, close: data.close, compaction });
  }

  async stop(): Promise<void> {
    for (const listener of this.listeners) listener.stop();
    await this.grpc.close(stopGrace);
    for (const listener of this.listeners) listener.destroy();
    this.compaction.stop();
    this.context.lessor.stop();
    await this.close();
  }
}

function tlsFiles(flags: StoreFlags): TlsFiles | undefined {
  const cert = flags['cert-file'];
  const key = flags['key-file'];
  if (!cert && !key) return undefined;
  if (!cert || !key) throw new Error('--cert-file and --key-file must be given together');
  const clientCa = flags['trusted-ca-file'] || undefined;
  if (flags['client-cert-auth'] && !clientCa) throw new Error('--client-cert-auth needs --trusted-ca-file');
  return { cert, key, clientCa: flags['client-cert-auth'] ? clientCa : undefined };
}

async function loadMember(disk: Disk, mvcc: Mvcc, flags: StoreFlags): Promise<Member> {
  const stored = disk.readMember();
  const record = stored
    ? MemberRecord.decode(stored)
    : { cluster_id: random64(), member_id: random64(), alarms: [] };
  const clientUrls = flags['advertise-client-urls'] ?? flags['listen-client-urls'];
  const member = {
    clusterId: record.cluster_id,
    memberId: record.member_id,
    term: 2,
    name: flags.name,
    peerUrls: [],
    clientUrls,
    alarms: new Set(record.alarms),
  };
  if (!stored) await saveMember(mvcc, member);
  return member;
}

function saveMember(mvcc: Mvcc, { clusterId, memberId, alarms }: Member): Promise<void> {
  const body = MemberRecord.encode({ cluster_id: clusterId, member_id: memberId, alarms: [...alarms] });
  return mvcc.submit(() => mvcc.putMember(body));
}

function allServices(context: StoreContext, flags: StoreFlags): Service[] {
  const services = [
    kvService(context),
    watchService(
      context,
      flags['experimental-watch-progress-notify-interval'] ?? flags['watch-progress-notify-interval'],
    ),
    leaseService(context, randomLeaseId),
    maintenanceService(context),
    clusterService(context),
    authService(context),
  ];
  const names = () => services.map(({ name }) => name);
  services.push(
    healthService({ healthy: () => !context.mvcc.failed, knows: (name) => names().includes(name) }),
    ...reflectionServices(() => services),
  );
  return services;
}
