import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import t, { type Test } from 'tap';
import { freePort } from '../test/lib/free-port.ts';
import { waitUntil } from '../test/lib/wait-until.ts';
import type { Endpoint, Frontend, ServicePlan } from './plan.ts';
import { Proxier, type ProxierOptions } from './proxier.ts';
import { Connections } from './tcp.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
// Every address of 127.0.0.0/8 is local, as those of the service network are.
const clusterIP = '127.96.0.7';

function proxier(t: Test, more: Partial<ProxierOptions> = {}) {
  const problems: string[] = [];
  const connections = new Connections();
  const made = new Proxier({
    connections,
    log: quiet,
    isInside: () => true,
    nodePortAddresses: () => ['127.0.0.1'],
    onProblem: (service, message) => problems.push(`${service}: ${message}`),
    ...more,
  });
  t.teardown(() => {
    made.close();
    connections.destroy();
  });
  return { proxier: made, problems };
}

/** A server that says its name, on a port of its own. */
async function backend(t: Test, name: string, port = 0, host = '127.0.0.1'): Promise<Endpoint> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(name);
  });
  server.listen(port, host);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port: bound } = server.address() as AddressInfo;
  return { key: `${host}:${bound}`, ip: host, port: bound };
}

function plan(service: string, port: number, all: Endpoint[], more: Partial<Frontend> = {}): ServicePlan {
  const address = more.address ?? clusterIP;
  const frontend: Frontend = {
    key: `TCP ${address}:${port}`,
    protocol: 'TCP',
    address,
    port,
    scope: 'all',
    divertible: true,
    ...more,
  };
  return {
    ports: [{ id: `${service}:/TCP`, service, all, node: all, frontends: all.length ? [frontend] : [] }],
  };
}

const read = (port: number, host = clusterIP): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, host);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text)).on('error', reject);
  });

const answers = (port: number, expected: string, host?: string) =>
  waitUntil(`${expected} on ${host ?? clusterIP}:${port}`, async () => (await read(port, host)) === expected);

const refuses = (port: number) =>
  waitUntil(`${clusterIP}:${port} to refuse`, () =>
    read(port).then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
    ),
  );

t.test('listens while there are endpoints, and sends to those of the moment', async (t) => {
  const { proxier: made } = proxier(t);
  const port = await freePort();
  const [a, b] = [await backend(t, 'a'), await backend(t, 'b')];
  made.sync('default/web', plan('default/web', port, [a]));
  await answers(port, 'a');
  made.sync('default/web', plan('default/web', port, [b]));
  t.equal(await read(port), 'b', 'at once');
  made.sync('default/web', plan('default/web', port, []));
  await refuses(port);
  made.sync('default/web', plan('default/web', port, [a]));
  await answers(port, 'a');
  made.sync('default/web', { ports: [] });
  await refuses(port);
  t.same(made.counts, { services: 0, wanted: 0, listening: 0 });
});

t.test('quick changes end in the last of them', async (t) => {
  const { proxier: made } = proxier(t);
  const [one, two] = [await freePort(), await freePort()];
  const a = await backend(t, 'a');
  for (let i = 0; i < 10; i++) {
    made.sync('default/web', plan('default/web', one, [a]));
    made.sync('default/web', plan('default/web', two, i === 9 ? [a] : []));
  }
  await answers(two, 'a');
  await refuses(one);
});

t.test('the first of two services with one address has it, and the other after it', async (t) => {
  const { proxier: made } = proxier(t);
  const port = await freePort();
  made.sync('default/first', plan('default/first', port, [await backend(t, 'first')]));
  await answers(port, 'first');
  made.sync('default/second', plan('default/second', port, [await backend(t, 'second')]));
  t.equal(await read(port), 'first');
  made.sync('default/first', { ports: [] });
  await answers(port, 'second');
});

t.test('a node port in use is told once, and taken when it is free', async (t) => {
  const { proxier: made, problems } = proxier(t);
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  const nodePort = { address: '', key: `TCP :${port}`, divertible: false };
  made.sync('default/web', plan('default/web', port, [await backend(t, 'a')], nodePort));
  await waitUntil('the problem', () => problems.length === 1);
  t.match(problems[0], /^default\/web: cannot listen on TCP :\d+: another process listens there/);
  holder.close();
  await answers(port, 'a', '127.0.0.1');
  t.equal(problems.length, 1);
});

t.test('a service port in use is diverted, and restored at its end', async (t) => {
  const calls: string[] = [];
  const diverted = Promise.withResolvers<number>();
  const { proxier: made, problems } = proxier(t, {
    diverter: {
      divert: async ({ address, port, to }) => {
        calls.push(`divert ${address}:${port}`);
        diverted.resolve(to);
      },
      restore: async ({ address, port }) => {
        calls.push(`restore ${address}:${port}`);
      },
    },
  });
  const holder = await backend(t, 'holder', 0, clusterIP);
  made.sync('default/web', plan('default/web', holder.port, [await backend(t, 'a')]));
  await answers(await diverted.promise, 'a');
  made.sync('default/web', { ports: [] });
  await waitUntil('the end', () => calls.length === 2);
  t.same(calls, [`divert ${clusterIP}:${holder.port}`, `restore ${clusterIP}:${holder.port}`]);
  t.same(problems, []);
});

t.test('new addresses of the node are listened on', async (t) => {
  let addresses = ['127.0.0.1'];
  const { proxier: made } = proxier(t, { nodePortAddresses: () => addresses });
  const port = await freePort();
  const nodePort = { address: '', key: `TCP :${port}`, divertible: false };
  made.sync('default/web', plan('default/web', port, [await backend(t, 'a')], nodePort));
  await answers(port, 'a', '127.0.0.1');
  addresses = ['127.0.0.1', '127.0.0.2'];
  made.refreshNodeAddresses();
  await answers(port, 'a', '127.0.0.2');
});
