import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { Balancer } from '../../proxy/balancer.ts';
import { Connections, TcpFrontend } from '../../proxy/tcp.ts';

/**
 * What the service proxy costs against a direct connection: bulk throughput, round trips on one connection, and
 * connections a second. `node test/bench/proxy.ts`; prints one line of JSON a measurement.
 *
 * Server, proxy and client are processes of their own, on loopback.
 */
const bulkBytes = 2 ** 30;
const roundTrips = 5_000;
const newConnections = 4_000;
const concurrency = 32;

/** Echoes; a first byte of `B` asks for the bulk instead. */
async function runServer(): Promise<void> {
  const chunk = Buffer.alloc(65_536);
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (first) => {
      if (first[0] !== 0x42) {
        socket.write(first);
        socket.pipe(socket);
        return;
      }
      let left = bulkBytes;
      const write = () => {
        while (left > 0) {
          left -= chunk.length;
          if (!socket.write(chunk)) return void socket.once('drain', write);
        }
        socket.end();
      };
      write();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send?.((server.address() as AddressInfo).port);
}

async function runProxy(port: number): Promise<void> {
  const endpoint = { key: `127.0.0.1:${port}`, ip: '127.0.0.1', port };
  const balancer = new Balancer({
    plan: { all: [endpoint], node: [] },
    now: () => performance.now(),
    firstTurn: 0,
    isInside: () => true,
  });
  const frontend = await TcpFrontend.listen({
    address: '127.0.0.1',
    port: 0,
    scope: 'all',
    balancer,
    connections: new Connections(),
  });
  process.send?.(frontend.port);
}

async function bulk(port: number): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  const began = performance.now();
  let received = 0;
  socket.on('data', (chunk) => {
    received += chunk.length;
  });
  socket.write('B');
  await once(socket, 'close');
  return received / ((performance.now() - began) / 1000);
}

async function latencies(port: number): Promise<{ p50: number; p99: number }> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const times: number[] = [];
  const message = Buffer.alloc(64, 1);
  for (let i = 0; i < roundTrips; i++) {
    const began = performance.now();
    socket.write(message);
    await once(socket, 'data');
    times.push(performance.now() - began);
  }
  socket.destroy();
  times.sort((a, b) => a - b);
  return { p50: times[Math.floor(times.length / 2)]!, p99: times[Math.floor(times.length * 0.99)]! };
}

/** Connections a second, each with one round trip. */
async function connectionRate(port: number): Promise<number> {
  let left = newConnections;
  const began = performance.now();
  const worker = async () => {
    while (left-- > 0) {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.write('x');
      await once(socket, 'data');
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return newConnections / ((performance.now() - began) / 1000);
}

async function measure(): Promise<void> {
  const start = async (...args: string[]) => {
    const child = fork(new URL(import.meta.url), args);
    const [port] = (await once(child, 'message')) as [number];
    return { child, port };
  };
  const server = await start('server');
  const proxy = await start('proxy', String(server.port));
  const rounded = (value: number) => Number(value.toPrecision(3));
  for (const [name, unit, run] of [
    ['bulk', 'MiB/s', async (port: number) => rounded((await bulk(port)) / 2 ** 20)],
    ['new connections', 'per second', async (port: number) => rounded(await connectionRate(port))],
    [
      'round trip',
      'ms',
      async (port: number) => {
        const { p50, p99 } = await latencies(port);
        return { p50: rounded(p50), p99: rounded(p99) };
      },
    ],
  ] as const) {
    const direct = await run(server.port);
    const proxied = await run(proxy.port);
    process.stdout.write(`${JSON.stringify({ measured: name, unit, direct, proxied })}\n`);
  }
  server.child.kill();
  proxy.child.kill();
}

const [role, port] = process.argv.slice(2);
if (role === 'server') await runServer();
else if (role === 'proxy') await runProxy(Number(port));
else await measure();
