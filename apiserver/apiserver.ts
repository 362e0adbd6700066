import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { version } from '../client/version.ts';
import { AdmissionChain } from './admission/chain.ts';
import { namespaceLifecycle } from './admission/namespace-lifecycle.ts';
import { nodeRestriction } from './admission/node-restriction.ts';
import { defaultTolerationSeconds, priority, taintNodesByCondition } from './admission/pod-defaults.ts';
import { serviceAccountAdmission } from './admission/service-account.ts';
import { repairAllocations } from './allocation/repair.ts';
import { ServiceAllocator } from './allocation/service-allocator.ts';
import { Authenticator } from './authn/authenticator.ts';
import { ServiceAccountTokens } from './authn/service-account-tokens.ts';
import { staticTokens } from './authn/token-file.ts';
import { BuiltInAuthorizer } from './authz/authorizer.ts';
import { ensureSystemObjects } from './bootstrap.ts';
import { advertisedAddress, cidrFlag, portRangeFlag } from './flag-values.ts';
import type { Flags } from './flags.ts';
import { kinds } from './kinds/index.ts';
import { RequestMetrics } from './metrics/request-metrics.ts';
import { Kubelets } from './proxy/kubelet-target.ts';
import { podLog } from './proxy/pod-log.ts';
import { streamingSubresources, UpgradeHandler } from './proxy/upgrade-handler.ts';
import { KindRegistry } from './registry/kind-registry.ts';
import { ObjectWriter } from './registry/object-writer.ts';
import { ApiRoutes } from './rest/api-routes.ts';
import { InFlightLimits } from './rest/in-flight-limits.ts';
import { NonResourceRoutes } from './rest/path-routes.ts';
import { WatchServer } from './rest/watch-handler.ts';
import { reviewKinds } from './reviews/reviews.ts';
import { buildServer } from './server.ts';
import { Compactor } from './storage/compactor.ts';
import { EtcdClient } from './storage/etcd-client.ts';
import { Storage } from './storage/storage.ts';
import { binding } from './subresources/binding.ts';
import { eviction } from './subresources/eviction.ts';
import { finalize } from './subresources/finalize.ts';
import { scaleSubresource } from './subresources/scale.ts';
import type { Subresource } from './subresources/subresource.ts';
import { tokenSubresource } from './subresources/token.ts';

export interface ApiServerContext {
  log: Logger;
  signal: AbortSignal;
  read(path: string): Buffer;
  /** Told the port once the server listens. */
  listening?(port: number): void;
}

const repairInterval = 180_000;
const firstRetry = 500;

/** Runs the server until `signal` aborts. @throws {FlagError} for a flag whose value makes no sense */
export async function startApiServer(flags: Flags, context: ApiServerContext): Promise<void> {
  const { log, signal, read } = context;
  const file = (path: string | undefined) => (path ? read(path) : undefined);
  const serviceCIDR = cidrFlag('service-cluster-ip-range', flags['service-cluster-ip-range']);
  const nodePorts = portRangeFlag('service-node-port-range', flags['service-node-port-range']);

  const client = new EtcdClient({
    endpoints: flags['etcd-servers'],
    ca: file(flags['etcd-cafile']),
    cert: file(flags['etcd-certfile']),
    key: file(flags['etcd-keyfile']),
  });
  const storage = new Storage({ client, prefix: flags['etcd-prefix'], log });
  const registry = new KindRegistry(storage, kinds);
  const allocator = new ServiceAllocator(storage, serviceCIDR, nodePorts);
  storage.start();

  const issuer = flags['service-account-issuer'];
  const tokens = new ServiceAccountTokens({
    issuer,
    audiences: flags['api-audiences'] ?? [issuer],
    signingKey: file(flags['service-account-signing-key-file']),
    keys: (flags['service-account-key-file'] ?? []).map(read),
    objects: {
      async get(plural, namespace, name) {
        const served = registry.builtIn({ group: '', version: 'v1', plural });
        const key = `${namespace}/${name}`;
        return (served.cache.get(key) ?? (await storage.read(served.path, key)))?.parse();
      },
    },
  });
  const tokenFile = file(flags['token-auth-file']);
  const authenticator = new Authenticator([
    ...(tokenFile ? [staticTokens(tokenFile.toString())] : []),
    tokens,
  ]);

  const authorizer = new BuiltInAuthorizer(registry);

  const disabled = new Set(flags['disable-admission-plugins']);
  const admission = new AdmissionChain(
    [
      namespaceLifecycle(storage, registry),
      nodeRestriction,
      taintNodesByCondition,
      serviceAccountAdmission(storage, registry),
      priority,
      defaultTolerationSeconds,
    ].filter((plugin) => !disabled.has(plugin.name)),
  );
  const writer = new ObjectWriter({ storage, admission, allocator });
  const watches = new WatchServer(storage);
  const kubelets = new Kubelets({
    storage,
    registry,
    preferredAddressTypes: flags['kubelet-preferred-address-types'],
    ca: file(flags['kubelet-certificate-authority']),
    cert: file(flags['kubelet-client-certificate']),
    key: file(flags['kubelet-client-key']),
  });
  const subresources: Subresource[] = [
    ...kinds.filter((kind) => kind.scale).map(scaleSubresource),
    binding,
    eviction,
    finalize,
    tokenSubresource(tokens),
    podLog(kubelets),
    ...streamingSubresources,
  ];
  const virtual = reviewKinds({
    authenticator,
    tokens,
    decide: (attributes) => authorizer.decide(attributes),
  });
  registry.declareVirtual(virtual);
  const resources = new ApiRoutes({ storage, registry, writer, watches, subresources, virtual });
  const address = flags['advertise-address'] ?? advertisedAddress(flags['bind-address']);
  const metrics = new RequestMetrics(registry);
  const limits = new InFlightLimits(
    { reading: flags['max-requests-inflight'], writing: flags['max-mutating-requests-inflight'] },
    () => metrics.reject(),
  );
  let bootstrapped = false;
  const paths = new NonResourceRoutes({
    registry,
    subresources,
    tokens,
    metrics: () => metrics.render({ inFlight: limits.current, storeRevision: storage.revision }),
    version: {
      ...version,
      gitCommit: '',
      gitTreeState: 'clean',
      buildDate: '1970-01-01T00:00:00Z',
      goVersion: process.version,
      compiler: 'node',
      platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
    },
    address: `${address}:${flags['secure-port']}`,
    checks: [
      { name: 'ping', check: () => undefined },
      {
        name: 'etcd',
        check: () => (storage.connected ? undefined : 'the store is not connected'),
        readinessOnly: true,
      },
      {
        name: 'poststarthook/start-system-namespaces-controller',
        check: () => (bootstrapped ? undefined : 'not finished'),
        readinessOnly: true,
      },
    ],
  });
  const app = buildServer({
    tls: {
      cert: read(flags['tls-cert-file']),
      key: read(flags['tls-private-key-file']),
      clientCa: file(flags['client-ca-file']),
    },
    authenticator,
    authorizer,
    resources,
    paths,
    limits,
    observe: (info, code, seconds) => metrics.observe(info, code, seconds),
    log,
  });
  const upgrades = new UpgradeHandler({ authenticator, authorizer, storage, registry, kubelets, log });
  app.server.on('upgrade', (request, socket, head) => upgrades.handle(request, socket, head));
  await app.listen({ host: flags['bind-address'], port: flags['secure-port'] });
  const { port } = app.server.address() as AddressInfo;
  log.info({ address: flags['bind-address'], port }, 'serving');
  context.listening?.(port);

  const maintain = async (): Promise<void> => {
    try {
      await storage.reached(1, repairInterval);
      await ensureSystemObjects({ registry, writer, serviceCIDR, address, port, log });
      bootstrapped = true;
      await repairAllocations(storage, registry, allocator);
    } catch (error) {
      log.warn({ err: error }, 'upkeep of system objects failed, trying again');
    }
  };
  const upkeep = (async () => {
    while (!signal.aborted) {
      await maintain();
      await delay(bootstrapped ? repairInterval : firstRetry, undefined, { signal, ref: false }).catch(
        () => {},
      );
    }
  })();
  const compaction = keepCompacting(new Compactor(client), flags['etcd-compaction-interval'], {
    log,
    signal,
  });
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await watches.close();
  upgrades.close();
  await app.close();
  storage.stop();
  client.close();
  kubelets.close();
  await Promise.all([upkeep, compaction]);
}

async function keepCompacting(
  compactor: Compactor,
  interval: number,
  { log, signal }: Pick<ApiServerContext, 'log' | 'signal'>,
): Promise<void> {
  while (interval > 0 && !signal.aborted) {
    await delay(interval, undefined, { signal, ref: false }).catch(() => {});
    if (signal.aborted) return;
    try {
      await compactor.compact();
    } catch (error) {
      log.warn({ err: error }, 'the store could not be compacted');
    }
  }
}
