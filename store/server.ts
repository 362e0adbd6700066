import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { StoreFlags } from './flags.ts';
import { Listener, type TlsFiles } from './grpc/listen.ts';
import { GrpcServer } from './grpc/server.ts';
import { handleHttp } from './http.ts';
import { Lessor } from './lease/lessor.ts';
import type { Logger } from './log.ts';
import { type Member, MemberRecord } from './member.ts';
import { Disk } from './mvcc/disk.ts';
import { Mvcc } from './mvcc/mvcc.ts';
import { authService } from './services/auth.ts';
import { clusterService } from './services/cluster.ts';
import type { StoreContext } from './services/context.ts';
import { kvService } from './services/kv.ts';
import { leaseService } from './services/lease.ts';
import { maintenanceService } from './services/maintenance.ts';
import { watchService } from './services/watch.ts';
import { WatchHub } from './watch/hub.ts';

const cacheBytes = 32 * 1024 * 1024;
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

  private constructor(context: StoreContext, grpc: GrpcServer, listeners: readonly Listener[]) {
    this.context = context;
    this.grpc = grpc;
    this.listeners = listeners;
  }

  /** @throws {Error} when the data cannot be used or a URL not be listened on. */
  static async start(flags: StoreFlags, log: Logger): Promise<StoreServer> {
    const start = performance.now();
    const onError = (error: unknown) => log.error({ err: error }, 'background work failed');
    const disk = await Disk.open(join(flags['data-dir'], 'member'));
    const hub = new WatchHub(onError);
    const lessor = new Lessor({ now: () => performance.now(), onError });
    const mvcc = await Mvcc.open({
      disk,
      leases: lessor,
      cacheBytes,
      onCommit: (changes) => hub.notify(changes),
      onFailure: (error) => log.fatal({ err: error }, 'write failed; refusing writes until restarted'),
    });
    hub.start(mvcc);
    const member = await loadMember(disk, mvcc, flags);
    lessor.start(mvcc);
    const context: StoreContext = {
      mvcc,
      lessor,
      hub,
      member,
      limits: { maxTxnOps: flags['max-txn-ops'], maxRequestBytes: flags['max-request-bytes'] },
    };
    const grpc = new GrpcServer({
      services: [
        kvService(context),
        watchService(context, () => undefined),
        leaseService(context, randomLeaseId),
        maintenanceService(context, disk),
        clusterService(context),
        authService(context),
      ],
      maxMessageSize: flags['max-request-bytes'] + overheadBytes,
      onFault: (error, path) => log.error({ err: error, path }, 'call failed'),
    });
    const http = handleHttp(context);
    const tls = tlsFiles(flags);
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
    return new StoreServer(context, grpc, listeners);
  }

  async stop(): Promise<void> {
    for (const listener of this.listeners) listener.stop();
    await this.grpc.close(stopGrace);
    for (const listener of this.listeners) listener.destroy();
    this.context.lessor.stop();
    await this.context.mvcc.close();
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
  if (!stored) await mvcc.submit(() => mvcc.putMember(MemberRecord.encode(record)));
  const clientUrls = flags['advertise-client-urls'] ?? flags['listen-client-urls'];
  return {
    clusterId: record.cluster_id,
    memberId: record.member_id,
    term: 2,
    name: flags.name,
    peerUrls: [],
    clientUrls,
    alarms: new Set(record.alarms),
  };
}
