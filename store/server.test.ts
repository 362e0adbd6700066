import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { request } from 'node:https';
import { connect as connectNet } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { GrpcClient } from './grpc/client.ts';
import { EtcdClient } from './testing/etcd.ts';
import { freePort, removeDirectory, StoreProcess, temporaryDirectory } from './testing/process.ts';

const root = temporaryDirectory();
const port = await freePort();
const tlsPort = await freePort();
const metricsPort = await freePort();
const pki = (name: string) => join(root, name);
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: root, stdio: 'ignore' });
const ecKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
for (const ca of ['ca', 'other-ca'])
  openssl(
    'req',
    '-x509',
    ...ecKey,
    '-keyout',
    `${ca}.key`,
    '-out',
    `${ca}.crt`,
    '-subj',
    `/CN=${ca}`,
    '-days',
    '2',
  );
writeFileSync(pki('names'), 'subjectAltName=IP:127.0.0.1');
for (const [name, ca] of [
  ['server', 'ca'],
  ['client', 'ca'],
  ['stranger', 'other-ca'],
] as const) {
  openssl('req', ...ecKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-CA',
    `${ca}.crt`,
    '-CAkey',
    `${ca}.key`,
    '-CAcreateserial',
    '-out',
    `${name}.crt`,
    '-days',
    '2',
    '-extfile',
    'names',
  );
}
const store = await StoreProcess.start({
  kind: 'store',
  dataDir: join(root, 'data'),
  port,
  flags: [
    `--listen-client-urls=https://127.0.0.1:${tlsPort}`,
    `--listen-metrics-urls=http://127.0.0.1:${metricsPort}`,
    `--cert-file=${pki('server.crt')}`,
    `--key-file=${pki('server.key')}`,
    `--trusted-ca-file=${pki('ca.crt')}`,
    '--client-cert-auth',
    '--max-txn-ops=4',
  ],
});
t.teardown(async () => {
  await store.stop();
  removeDirectory(root);
});
const tls = (name: string) => ({
  ca: readFileSync(pki('ca.crt')),
  cert: readFileSync(pki(`${name}.crt`)),
  key: readFileSync(pki(`${name}.key`)),
});

t.test('gRPC over TLS with a client certificate of the right CA only', async (t) => {
  const url = `https://127.0.0.1:${tlsPort}`;
  const client = await GrpcClient.connect(url, tls('client'));
  const etcd = new EtcdClient(client);
  await etcd.put({ key: Buffer.from('tls'), value: Buffer.from('1') });
  t.equal((await etcd.range({ key: Buffer.from('tls') })).kvs[0]?.value.toString(), '1');
  client.close();
  const refused = async (options: object) => {
    const stranger = await GrpcClient.connect(url, options);
    // TLS 1.3 clients learn of the refusal with their first read.
    await new EtcdClient(stranger).range({ key: Buffer.from('tls') }).finally(() => stranger.close());
  };
  await t.rejects(refused(tls('stranger')), 'a certificate of another CA');
  await t.rejects(refused({ ca: tls('client').ca }), 'no certificate');
});

t.test('HTTP/1.1 on the client port: health, version, metrics', async (t) => {
  const get = (path: string) =>
    new Promise<string>((resolve, reject) => {
      request({ host: '127.0.0.1', port: tlsPort, path, agent: false, ...tls('client') }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => {
          body += chunk.toString();
        });
        response.on('end', () => resolve(`${response.statusCode} ${body}`));
      })
        .on('error', reject)
        .end();
    });
  t.equal(await get('/health'), '200 {"health":"true"}');
  t.match(await get('/version'), '"etcdserver":"3.5.0"');
  t.match(await get('/metrics'), /^etcd_server_has_leader 1$/m);
  t.match(await get('/nothing'), /^404/);
});

t.test('the metrics URL is served in the clear', async (t) => {
  const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  const text = await response.text();
  t.match(text, /^grpc_server_handled_total\{grpc_code="OK",grpc_method="Put"/m);
  t.match(text, /^etcd_mvcc_put_total \d+$/m);
  t.equal((await fetch(`http://127.0.0.1:${metricsPort}/readyz`)).status, 200);
});

t.test('another HTTP/2 client: a megabyte each way in small windows', async (t) => {
  const session = connectHttp2(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 1000 } });
  const { PutRequest, RangeRequest, RangeResponse } = await import('../api/etcd/messages.ts');
  const call = async (path: string, message: Buffer) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const frame = Buffer.alloc(5 + message.length);
    frame.writeUInt32BE(message.length, 1);
    frame.set(message, 5);
    let trailers: Record<string, unknown> = {};
    stream.on('trailers', (headers) => {
      trailers = headers;
    });
    stream.end(frame);
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(stream, 'close');
    return { status: trailers['grpc-status'], body: Buffer.concat(chunks).subarray(5) };
  };
  const value = Buffer.alloc(1_000_000, 120);
  const put = await call('/etcdserverpb.KV/Put', PutRequest.encode({ key: Buffer.from('big'), value }));
  t.equal(put.status, '0');
  const got = await call('/etcdserverpb.KV/Range', RangeRequest.encode({ key: Buffer.from('big') }));
  t.ok(RangeResponse.decode(got.body).kvs[0]?.value.equals(value));
  session.close();
});

t.test('limits are etcd’s, as flags', async (t) => {
  const client = await store.connect();
  const etcd = new EtcdClient(client);
  await t.rejects(etcd.put({ key: Buffer.from('x'), value: Buffer.alloc(1_700_000) }), {
    message: 'etcdserver: request is too large',
  });
  await t.rejects(etcd.put({ key: Buffer.from('x'), value: Buffer.alloc(2_200_000) }), {
    message: /^grpc: received message larger than max \(22\d+ vs\. 2097152\)$/,
  });
  const success = Array.from({ length: 5 }, (_, i) => ({ request_put: { key: Buffer.from(String(i)) } }));
  await t.rejects(etcd.txn({ success }), { message: 'etcdserver: too many operations in txn request' });
  client.close();
});

t.test('unknown services and methods, and bytes that are no request, get a status', async (t) => {
  const client = await store.connect();
  const { PutRequest, PutResponse, RangeRequest } = await import('../api/etcd/messages.ts');
  const codecs = { request: PutRequest, response: PutResponse };
  await t.rejects(client.call('/no.Such/Method', codecs, {}), {
    code: 12,
    message: 'unknown service no.Such',
  });
  await t.rejects(client.call('/etcdserverpb.KV/No', codecs, {}), { code: 12 });
  const garbage = {
    request: { ...RangeRequest, encode: (_: unknown, prefix = 0) => Buffer.alloc(prefix + 3, 0xff) },
    response: PutResponse,
  };
  await t.rejects(client.call('/etcdserverpb.KV/Range', garbage, {}), { code: 13, message: /unmarshalling/ });
  t.ok(await new EtcdClient(client).range({ key: Buffer.from('still') }));
  client.close();
});

t.test('bytes that are not HTTP/2 end their connection and nothing else', async (t) => {
  for (const bytes of [
    'PRI * HTTP/2.0\r\n\r\nXX',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff',
  ]) {
    const socket = connectNet({ host: '127.0.0.1', port });
    socket.on('error', () => undefined);
    socket.write(Buffer.from(bytes, 'latin1'));
    socket.resume();
    await once(socket, 'close');
  }
  const client = await store.connect();
  t.ok(await new EtcdClient(client).range({ key: Buffer.from('still') }));
  client.close();
});

t.test('gRPC health and reflection', async (t) => {
  const client = await store.connect();
  const { HealthCheckRequest, HealthCheckResponse } = await import('./services/health.ts');
  const health = { request: HealthCheckRequest, response: HealthCheckResponse };
  t.same(await client.call('/grpc.health.v1.Health/Check', health, {}), { status: 1 });
  await t.rejects(client.call('/grpc.health.v1.Health/Check', health, { service: 'x' }), { code: 5 });
  const { ServerReflectionRequest, ServerReflectionResponse } = await import(
    './services/reflection-messages.ts'
  );
  const names = await new Promise<string[]>((resolve, reject) => {
    const stream = client.stream(
      '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
      { request: ServerReflectionRequest, response: ServerReflectionResponse },
      {
        onMessage: (message) => resolve(message.list_services_response!.service.map(({ name }) => name)),
        onEnd: (error) => error && reject(error),
      },
    );
    stream.write({ list_services: '*' });
  });
  t.ok(names.includes('etcdserverpb.KV') && names.includes('etcdserverpb.Watch'));
  client.close();
});

t.test('a lease expires with its keys, and outlives a restart', async (t) => {
  const dataDir = join(root, 'leases');
  const own = await freePort();
  const first = await StoreProcess.start({ kind: 'store', dataDir, port: own });
  let client = await first.connect();
  let etcd = new EtcdClient(client);
  await etcd.leaseGrant({ ID: 1n, TTL: 5 });
  await etcd.leaseGrant({ ID: 2n, TTL: 500 });
  await etcd.put({ key: Buffer.from('short'), lease: 1n });
  await etcd.put({ key: Buffer.from('long'), lease: 2n });
  client.close();
  await first.stop('SIGKILL');
  const again = await StoreProcess.start({ kind: 'store', dataDir, port: own });
  client = await again.connect();
  etcd = new EtcdClient(client);
  const ttl = await etcd.leaseTimeToLive({ ID: 2n, keys: true });
  t.equal(ttl.grantedTTL, 500);
  t.same(ttl.keys.map(String), ['long']);
  const deleted = new Promise<number>((resolve, reject) => {
    const watch = etcd.watch({
      onMessage: ({ events }) => events.some(({ type }) => type === 1) && resolve(1),
      onEnd: (error) => reject(error),
    });
    // From the first revision on: it may have expired already.
    watch.write({ create_request: { key: Buffer.from('short'), start_revision: 1 } });
  });
  t.equal(await deleted, 1, 'the watch tells of the deletion');
  t.equal((await etcd.leaseTimeToLive({ ID: 1n })).TTL, -1);
  t.equal((await etcd.range({ key: Buffer.from('long') })).count, 1);
  client.close();
  await again.stop();
});

t.test('a wrong command line is named on standard error', (t) => {
  const run = (...flags: string[]) =>
    spawnSync(process.execPath, [
      join(import.meta.dirname, 'main.ts'),
      `--data-dir=${join(root, 'no')}`,
      ...flags,
    ]);
  const unknown = run('--no-such-flag=1');
  t.equal(unknown.status, 1);
  t.match(unknown.stderr.toString(), 'unknown flag: --no-such-flag');
  const retention = run('--auto-compaction-retention=soon');
  t.equal(retention.status, 1);
  t.match(retention.stderr.toString(), '--auto-compaction-retention');
  t.match(run('--listen-client-urls=https://127.0.0.1:0').stderr.toString(), '--cert-file');
  t.end();
});
