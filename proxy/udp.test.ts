import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { Balancer } from './balancer.ts';
import type { Endpoint } from './plan.ts';
import { UdpFrontend, type UdpFrontendOptions } from './udp.ts';

async function bound(t: Test): Promise<{ socket: Socket; endpoint: Endpoint }> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.teardown(() => socket.close());
  const { port } = socket.address();
  return { socket, endpoint: { key: `127.0.0.1:${port}`, ip: '127.0.0.1', port } };
}

/** Answers each datagram with its name and the datagram. */
async function backend(t: Test, name: string): Promise<Endpoint> {
  const { socket, endpoint } = await bound(t);
  socket.on('message', (data, from) => socket.send(`${name}:${data}`, from.port, from.address));
  return endpoint;
}

async function refusing(): Promise<Endpoint> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return { key: `127.0.0.1:${port}`, ip: '127.0.0.1', port };
}

async function frontend(t: Test, all: Endpoint[], more: Partial<UdpFrontendOptions> = {}) {
  const balancer = new Balancer({
    plan: { all, node: [] },
    now: () => performance.now(),
    firstTurn: 0,
    isInside: () => true,
  });
  const listening = await UdpFrontend.listen({
    addresses: ['127.0.0.1'],
    port: 0,
    scope: 'all',
    balancer,
    ...more,
  });
  t.teardown(() => listening.close());
  return { balancer, listening };
}

async function client(t: Test, port: number) {
  const { socket } = await bound(t);
  return async (text: string) => {
    socket.send(text, port, '127.0.0.1');
    return String((await once(socket, 'message'))[0]);
  };
}

t.test('each client is a flow to one endpoint', async (t) => {
  const { listening } = await frontend(t, [await backend(t, 'a'), await backend(t, 'b')]);
  const one = await client(t, listening.port);
  const two = await client(t, listening.port);
  const first = [await one('1'), await one('2')];
  const second = [await two('1'), await two('2')];
  t.same([first, second].sort(), [
    ['a:1', 'a:2'],
    ['b:1', 'b:2'],
  ]);
  t.equal(listening.flows, 2);
});

t.test('an unanswered datagram goes to another endpoint when the first refuses', async (t) => {
  const { listening } = await frontend(t, [await refusing(), await backend(t, 'a')]);
  const ask = await client(t, listening.port);
  t.equal(await ask('x'), 'a:x');
});

t.test('a flow moves when its endpoint leaves the list', async (t) => {
  const [a, b] = [await backend(t, 'a'), await backend(t, 'b')];
  const { listening, balancer } = await frontend(t, [a]);
  const ask = await client(t, listening.port);
  t.equal(await ask('1'), 'a:1');
  balancer.update({ all: [b], node: [] });
  t.equal(await ask('2'), 'b:2');
  t.equal(listening.flows, 1);
});

t.test('without an endpoint a datagram is dropped and leaves no flow', async (t) => {
  const { listening, balancer } = await frontend(t, []);
  const ask = await client(t, listening.port);
  const answered = ask('1');
  balancer.update({ all: [await backend(t, 'a')], node: [] });
  t.equal(listening.flows, 0);
  void ask('2');
  t.match(await answered, /^a:/);
});

t.test('a port in use is reported', async (t) => {
  const { socket } = await bound(t);
  const balancer = new Balancer({
    plan: { all: [], node: [] },
    now: () => 0,
    firstTurn: 0,
    isInside: () => true,
  });
  const { port } = socket.address();
  const again = UdpFrontend.listen({ addresses: ['127.0.0.1'], port, scope: 'all', balancer });
  await t.rejects(again, { code: 'EADDRINUSE' });
});
