import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer, type Server } from 'node:net';
import t from 'tap';
import type { Probe } from '../../api/types/core-v1.ts';
import { freePort } from '../../test/lib/free-port.ts';
import { type ProbeTarget, runProbe } from './run-probe.ts';

const target: ProbeTarget = {
  container: { name: 'c', ports: [] },
  containerID: 'id',
  podIP: '127.0.0.1',
};
const noRuntime = { execSync: () => Promise.reject(new Error('no exec expected')) };
/** Long enough for a busy machine, unless a test is about the timeout. */
const patient = { timeoutSeconds: 30 };
const run = (probe: Probe, more: Partial<ProbeTarget> = {}) =>
  runProbe(noRuntime, { ...patient, ...probe }, { ...target, ...more });

async function listen(t: Tap, server: Pick<Server, 'listen' | 'address' | 'close'>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}
type Tap = { teardown(work: () => unknown): void };

t.test('HTTP: codes, headers, redirects, named ports', async (t) => {
  const seen: IncomingMessage[] = [];
  const port = await listen(
    t,
    createHttpServer((request, response) => {
      seen.push(request);
      if (request.url === '/moved') response.writeHead(302, { location: '/ok' }).end();
      else if (request.url === '/away') response.writeHead(302, { location: 'http://example.org/' }).end();
      else response.writeHead(request.url === '/ok' ? 200 : 503).end();
    }),
  );
  const httpHeaders = [
    { name: 'X-Test', value: '1' },
    { name: 'Host', value: 'probed.example' },
  ];
  t.same(await run({ httpGet: { path: '/ok', port, httpHeaders } }), { success: true, message: '' });
  t.match(seen[0]?.headers, { 'x-test': '1', host: 'probed.example', 'user-agent': /^kube-probe\/1\.\d+$/ });
  t.same(await run({ httpGet: { path: 'bad', port } }), {
    success: false,
    message: 'HTTP probe failed with statuscode: 503',
  });
  t.equal((await run({ httpGet: { path: '/moved', port } })).success, true);
  t.equal((await run({ httpGet: { path: '/away', port } })).success, true, 'another host is not followed');
  const container = { name: 'c', ports: [{ name: 'web', containerPort: port }] };
  t.equal((await run({ httpGet: { path: '/ok', port: 'web' } }, { container })).success, true);
  await t.rejects(run({ httpGet: { path: '/ok', port: 'none' } }), { message: /couldn't find port/ });
});

t.test('a server that does not answer runs into the timeout', async (t) => {
  const port = await listen(t, createServer());
  const { success, message } = await run({ httpGet: { path: '/', port }, timeoutSeconds: 0.05 });
  t.notOk(success);
  t.equal(
    message,
    `Get "http://127.0.0.1:${port}/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
  );
});

t.test('nobody listens', async (t) => {
  const port = await freePort();
  t.equal(
    (await run({ httpGet: { path: '/x', port } })).message,
    `Get "http://127.0.0.1:${port}/x": dial tcp 127.0.0.1:${port}: connect: connection refused`,
  );
  t.equal(
    (await run({ tcpSocket: { port } })).message,
    `dial tcp 127.0.0.1:${port}: connect: connection refused`,
  );
});

t.test('TCP', async (t) => {
  const port = await listen(
    t,
    createServer((socket) => socket.end()),
  );
  t.equal((await run({ tcpSocket: { port } })).success, true);
});

t.test('exec: code, output, timeout', async (t) => {
  const answering = (exitCode: number) => ({ execSync: async () => ({ exitCode, output: 'said this' }) });
  const probe = { exec: { command: ['check', 'it'] }, ...patient };
  t.equal((await runProbe(answering(0), probe, target)).success, true);
  t.same(await runProbe(answering(1), probe, target), { success: false, message: 'said this' });
  const hanging = {
    execSync: (_id: string, _command: string[], signal: AbortSignal) =>
      new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  };
  t.equal(
    (await runProbe(hanging, { ...probe, timeoutSeconds: 0.02 }, target)).message,
    'command timed out: "check it" timed out after 0.02s',
  );
});

t.test('gRPC health: serving and not', async (t) => {
  const server = createHttp2Server();
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const service = Buffer.concat(chunks).subarray(7).toString();
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      const status = headers[':path'] === '/grpc.health.v1.Health/Check' && service === 'good' ? 1 : 2;
      stream.end(Buffer.from([0, 0, 0, 0, 2, 8, status]));
    });
  });
  const port = await listen(t, server);
  t.teardown(() => {
    for (const session of sessions) session.destroy();
  });
  t.same(await run({ grpc: { port, service: 'good' } }), { success: true, message: '' });
  t.same(await run({ grpc: { port, service: 'bad' } }), {
    success: false,
    message: 'service unhealthy (responded with "NOT_SERVING")',
  });
});
