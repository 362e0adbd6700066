import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { ensureSandboxImage } from '../../images/pause-image.ts';
import { SpdyTestClient } from '../testing/spdy-test-client.ts';
import { collect, testServer } from '../testing/test-server.ts';

/** Two servers in the pod: on all addresses, and on loopback only. Both answer once their client has said all. */
const program = (
  host: string,
  port: number,
) => `require('net').createServer({ allowHalfOpen: true }, async (s) => {
  let n = 0; let head = '';
  s.on('error', () => {}).on('data', (d) => { n += d.length; head = head || d.toString('latin1', 0, 9) }).on('end', () => s.end(head + ' ' + n));
}).listen(${port}, '${host}', () => console.log('listening'))`;

async function podWithServers(t: Test) {
  const server = await testServer(t);
  const { docker, setSandbox } = server;
  const container = await docker.createContainer({ Image: await ensureSandboxImage(docker) });
  t.teardown(() => container.remove({ force: true }));
  await container.start();
  const { State, NetworkSettings } = await container.inspect();
  for (const [host, port] of [
    ['0.0.0.0', 8080],
    ['127.0.0.1', 9090],
  ] as const) {
    const child = spawn(
      'nsenter',
      [`--net=/proc/${State.Pid}/ns/net`, process.execPath, '-e', program(host, port)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    t.teardown(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
  }
  setSandbox({
    id: container.id,
    attempt: 0,
    state: 'running',
    createdAt: '',
    ip: NetworkSettings.Networks.bridge?.IPAddress,
    hostNetwork: false,
  });
  return server;
}

const path = '/portForward/default/web';
const refused = /^error forwarding port 7 to pod web, uid uid-1: connect ECONNREFUSED 127\.0\.0\.1:7$/;

/** Opens the two streams of one connection; `id` is the first stream's. */
async function open(client: SpdyTestClient, id: number, port: number): Promise<void> {
  await client.open(id, { streamType: 'error', port: String(port), requestID: String(id) });
  await client.open(id + 2, { streamType: 'data', port: String(port), requestID: String(id) });
}

async function exercise(t: Test, client: SpdyTestClient): Promise<void> {
  await open(client, 1, 8080);
  await open(client, 5, 9090);
  client.data(3, 'all addresses', true);
  client.data(7, 'loopback', true);
  t.equal(await client.text(3), 'all addre 13');
  t.equal(await client.text(1), '', 'no error');
  t.equal(await client.text(7), 'loopback 8');
  await open(client, 9, 8080);
  const chunk = Buffer.alloc(250_000, 'x');
  for (let i = 0; i < 20; i++) client.data(11, chunk, i === 19);
  t.equal(await client.text(11), 'xxxxxxxxx 5000000');
  await open(client, 13, 7);
  t.match(await client.text(13), refused);
}

t.test('SPDY: connections to all that listens in the pod, loopback too', async (t) => {
  const { spdy } = await podWithServers(t);
  const { client, version } = await spdy(path, ['portforward.k8s.io']);
  t.equal(version, 'portforward.k8s.io');
  await exercise(t, client);
});

t.test('SPDY inside WebSocket, as newer kubectl does', async (t) => {
  const { tunnel } = await podWithServers(t);
  await exercise(t, new SpdyTestClient(await tunnel(path, 'SPDY/3.1+portforward.k8s.io')));
});

t.test('WebSocket channels: ports are announced, data and errors have their own', async (t) => {
  const { webSocket } = await podWithServers(t);
  const output = collect(await webSocket(`${path}?port=8080&port=7`, ['v4.channel.k8s.io']));
  await output.until(3, 'ECONNREFUSED');
  await output.until(0, '\x90\x1f');
  const socket = await webSocket(`${path}?port=9090`, ['v4.channel.k8s.io']);
  const other = collect(socket);
  await other.until(0, '\x82\x23');
  socket.send(Buffer.from('\0hello'));
  await t.rejects(webSocket(`${path}?port=99999`, ['v4.channel.k8s.io']), /400 .*must be a port number/);
  t.pass('both announced their ports');
});
