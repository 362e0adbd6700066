import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { version } from '../client/version.ts';
import { Authenticator } from './authn/authenticator.ts';
import { staticTokens } from './authn/token-file.ts';
import type { Flags } from './flags.ts';
import { kinds } from './kinds/index.ts';
import { KindRegistry } from './registry/kind-registry.ts';
import { ObjectWriter } from './registry/object-writer.ts';
import { ApiRoutes } from './rest/api-routes.ts';
import { NonResourceRoutes } from './rest/path-routes.ts';
import { WatchServer } from './rest/watch-handler.ts';
import { buildServer } from './server.ts';
import { EtcdClient } from './storage/etcd-client.ts';
import { Storage } from './storage/storage.ts';
import { binding } from './subresources/binding.ts';
import { eviction } from './subresources/eviction.ts';
import { finalize } from './subresources/finalize.ts';
import { scaleSubresource } from './subresources/scale.ts';
import type { Subresource } from './subresources/subresource.ts';

export interface ApiServerContext {
  log: Logger;
  signal: AbortSignal;
  read(path: string): Buffer;
  /** Told the port once the server listens. */
  listening?(port: number): void;
}

/** Runs the server until `signal` aborts. */
export async function startApiServer(flags: Flags, context: ApiServerContext): Promise<void> {
  const { log, signal, read } = context;
  const file = (path: string | undefined) => (path ? read(path) : undefined);
  const ca = file(flags['etcd-cafile']);
  const cert = file(flags['etcd-certfile']);
  const key = file(flags['etcd-keyfile']);
  const client = new EtcdClient({
    endpoints: flags['etcd-servers'],
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  });
  const storage = new Storage({ client, prefix: flags['etcd-prefix'], log });
  const registry = new KindRegistry(storage, kinds);
  storage.start();
  const tokenFile = file(flags['token-auth-file']);
  const authenticator = new Authenticator(tokenFile ? [staticTokens(tokenFile.toString())] : []);
  const writer = new ObjectWriter({
    storage,
    admission: { admit() {} },
    allocator: { allocate: async () => () => {}, release() {} },
  });
  const watches = new WatchServer(storage);
  const subresources: Subresource[] = [
    ...kinds.filter((kind) => kind.scale).map(scaleSubresource),
    binding,
    eviction,
    finalize,
  ];
  const resources = new ApiRoutes({ storage, registry, writer, watches, subresources });
  const address = flags['advertise-address'] ?? '127.0.0.1';
  const paths = new NonResourceRoutes({
    registry,
    subresources,
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
    ],
  });
  const clientCa = file(flags['client-ca-file']);
  const app = buildServer({
    tls: {
      cert: read(flags['tls-cert-file']),
      key: read(flags['tls-private-key-file']),
      ...(clientCa && { clientCa }),
    },
    authenticator,
    authorizer: { authorize() {} },
    resources,
    paths,
    log,
  });
  await app.listen({ host: flags['bind-address'], port: flags['secure-port'] });
  const { port } = app.server.address() as AddressInfo;
  log.info({ address: flags['bind-address'], port }, 'serving');
  context.listening?.(port);
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  watches.close();
  await app.close();
  storage.stop();
  client.close();
}
