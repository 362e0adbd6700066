import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { freePort } from '../test/lib/free-port.ts';
import { Balancer } from './balancer.ts';
import type { Endpoint } from './plan.ts';
import { Connections, TcpFrontend } from './tcp.ts';

/** On a busy machine even a good endpoint may be slow: only the test of silent ones races early. */
const timings = { hedge: 20_000, deadline: 20_000, patience: 200 };

async function backend(t: Test, serve: (socket: Socket) => void): Promise<Endpoint & { server: Server }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { key: `127.0.0.1:${port}`, ip: '127.0.0.1', port, server };
}

/** A port on which nobody listens. */
async function refusing(): Promise<Endpoint> {
  const port = await freePort();
  return { key: `127.0.0.1:${port}`, ip: '127.0.0.1', port };
}

/** A port whose owner is stopped with its backlog full: the kernel drops what comes. */
async function silent(t: Test): Promise<Endpoint> {
  const program =
    "const s = require('net').createServer(); s.listen(0, '127.0.0.1', 1, () => console.log(s.address().port))";
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const port = Number(String((await once(child.stdout, 'data'))[0]));
  child.kill('SIGSTOP');
  const full = Promise.withResolvers<void>();
  const fill = () => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    t.teardown(() => socket.destroy());
    // The kernel connects at once or not at all. A connection that this busy process has not heard of by then is
    // told to it between the timer and the immediate.
    const timer = setTimeout(() => setImmediate(() => socket.connecting && full.resolve()), 200);
    socket.once('connect', () => {
      clearTimeout(timer);
      fill();
    });
  };
  fill();
  await full.promise;
  return { key: `127.0.0.1:${port}`, ip: '127.0.0.1', port };
}

async function frontend(
  t: Test,
  all: Endpoint[],
  more: { affinitySeconds?: number; hedge?: number; patience?: number } = {},
) {
  const { affinitySeconds, hedge = timings.hedge, patience = timings.patience } = more;
  const plan = { all, node: [], ...(affinitySeconds && { affinitySeconds }) };
  const balancer = new Balancer({ plan, now: () => performance.now(), firstTurn: 0, isInside: () => true });
  const connections = new Connections();
  const listening = await TcpFrontend.listen({
    address: '127.0.0.1',
    port: 0,
    scope: 'all',
    balancer,
    connections,
    timings: { ...timings, hedge, patience },
  });
  t.teardown(() => {
    listening.close();
    connections.destroy();
  });
  return { balancer, connections, port: listening.port, close: () => listening.close() };
}

/** Sends `text`, ends, and reads all. */
function ask(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', reject).on('end', () => resolve(answer));
    socket.end(text);
  });
}

/** Answers after the client has ended, as only a passed-on half-close allows. */
const named = (name: string) => (socket: Socket) => {
  let received = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    received += chunk;
  });
  socket.on('end', () => socket.end(`${name}:${received}`));
};

t.test('spreads connections and passes the half-close on', async (t) => {
  const { port } = await frontend(t, [await backend(t, named('a')), await backend(t, named('b'))]);
  const answers = await Promise.all([1, 2, 3, 4].map(() => ask(port, 'hello')));
  t.same(answers.sort(), ['a:hello', 'a:hello', 'b:hello', 'b:hello']);
});

t.test('a client meets no endpoint that refuses while another is there', async (t) => {
  const gone = [await refusing(), await refusing()];
  const { port, connections } = await frontend(t, [gone[0]!, await backend(t, named('a')), gone[1]!]);
  for (let i = 0; i < 6; i++) t.equal(await ask(port, `${i}`), `a:${i}`);
  t.equal(connections.refused, 0);
});

t.test('a silent endpoint is raced by the next', async (t) => {
  const { port } = await frontend(t, [await silent(t), await backend(t, named('a'))], { hedge: 50 });
  t.equal(await ask(port, 'x'), 'a:x');
});

t.test('an endpoint that resets before any byte is followed by the next', async (t) => {
  const resetting = await backend(t, (socket) => socket.resetAndDestroy());
  const { port } = await frontend(t, [resetting, await backend(t, (socket) => socket.end('greeting'))]);
  const socket = connect({ port, host: '127.0.0.1' });
  const [greeting] = (await once(socket, 'data')) as [Buffer];
  t.equal(greeting.toString(), 'greeting');
  socket.destroy();
});

t.test('a request without effect is made again when the endpoint breaks off before it answers', async (t) => {
  const reset = await backend(t, (socket) => socket.once('data', () => socket.resetAndDestroy()));
  const ending = await backend(t, (socket) => socket.once('data', () => socket.end()));
  const { port } = await frontend(t, [reset, ending, await backend(t, named('a'))]);
  t.equal(await ask(port, 'GET / HTTP/1.1\r\n\r\n'), 'a:GET / HTTP/1.1\r\n\r\n');
});

t.test('the greeting of TLS is made again, but not with early data behind it', async (t) => {
  const reset = () => backend(t, (socket) => socket.once('data', () => socket.resetAndDestroy()));
  const greeting = '\x16\x03\x01\x00\x05hello';
  const first = await frontend(t, [await reset(), await backend(t, named('a'))]);
  t.equal(await ask(first.port, greeting), `a:${greeting}`);
  const second = await frontend(t, [await reset(), await backend(t, named('a'))]);
  await t.rejects(ask(second.port, `${greeting}\x17\x03\x03\x00\x01x`), { code: 'ECONNRESET' });
});

t.test('what may have had an effect is not made again', async (t) => {
  let seen = 0;
  const reset = await backend(t, (socket) =>
    socket.once('data', () => {
      seen++;
      socket.resetAndDestroy();
    }),
  );
  const { port, balancer } = await frontend(t, [reset]);
  const other = await backend(t, named('other'));
  const asked = ask(port, 'POST / HTTP/1.1\r\n\r\n');
  balancer.update({ all: [reset, other], node: [] });
  await t.rejects(asked, { code: 'ECONNRESET' });
  t.equal(seen, 1);
  const half = await backend(t, (socket) =>
    socket.once('data', () => socket.write('half', () => socket.resetAndDestroy())),
  );
  const answering = await frontend(t, [half]);
  await t.rejects(ask(answering.port, 'GET / HTTP/1.1\r\n\r\n'), { code: 'ECONNRESET' }, 'half an answer');
});

t.test('waits a moment for a replacement when every endpoint refuses', async (t) => {
  const gone = await refusing();
  const { port, balancer, connections } = await frontend(t, [gone], { patience: 15_000 });
  const answer = ask(port, 'x');
  const replacement = await backend(t, named('new'));
  balancer.update({ all: [replacement], node: [] });
  t.equal(await answer, 'new:x');
  t.equal(connections.refused, 0);
});

t.test('turns the client away with a reset when nobody takes it', async (t) => {
  const { port, connections } = await frontend(t, [await refusing()]);
  await t.rejects(ask(port, 'x'), { code: 'ECONNRESET' });
  t.equal(connections.refused, 1);
});

t.test('a connection outlives its endpoint’s place in the list and its listener', async (t) => {
  const echo = await backend(t, (socket) => socket.pipe(socket));
  const { port, balancer, close } = await frontend(t, [echo]);
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write('one');
  t.equal(String((await once(socket, 'data'))[0]), 'one');
  balancer.update({ all: [], node: [] });
  close();
  socket.write('two');
  t.equal(String((await once(socket, 'data'))[0]), 'two');
  socket.destroy();
});

t.test('a reset goes through in both directions', async (t) => {
  const seen = Promise.withResolvers<string | undefined>();
  const server = await backend(t, (socket) => {
    socket.on('error', (error: NodeJS.ErrnoException) => seen.resolve(error.code));
    socket.on('data', (data) => {
      if (String(data) === 'die') socket.resetAndDestroy();
      else socket.write(data);
    });
  });
  const { port } = await frontend(t, [server]);
  const first = connect({ port, host: '127.0.0.1' });
  first.write('die');
  const [error] = (await once(first, 'error')) as [NodeJS.ErrnoException];
  t.equal(error.code, 'ECONNRESET');
  const second = connect({ port, host: '127.0.0.1' });
  second.write('hello');
  await once(second, 'data');
  second.resetAndDestroy();
  t.equal(await seen.promise, 'ECONNRESET');
});

t.test('an endpoint does not keep the connection of a client that is gone', async (t) => {
  const closed: Promise<void>[] = [];
  const talking = await backend(t, (socket) => {
    closed.push(new Promise((resolve) => socket.once('close', () => resolve())));
    const talk = setInterval(() => socket.write('more'), 5);
    socket.once('close', () => clearInterval(talk));
  });
  const { port } = await frontend(t, [talking]);
  const ended = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(ended, 'data');
  ended.end(() => ended.destroy());
  const reset = connect({ port, host: '127.0.0.1' });
  await once(reset, 'data');
  reset.resetAndDestroy();
  await Promise.all(closed);
  t.equal(closed.length, 2);
});

t.test('moves large data without loss while one side is slow', async (t) => {
  const size = 32 << 20;
  const source = await backend(t, (socket) => {
    socket.end(Buffer.alloc(size, 7));
  });
  const { port } = await frontend(t, [source]);
  const socket = connect({ port, host: '127.0.0.1' });
  let received = 0;
  socket.pause();
  socket.on('data', (chunk) => {
    received += chunk.length;
    socket.pause();
    setImmediate(() => socket.resume());
  });
  socket.resume();
  await once(socket, 'end');
  t.equal(received, size);
});

t.test('session affinity keeps a client at its endpoint', async (t) => {
  const all = [await backend(t, named('a')), await backend(t, named('b'))];
  const { port } = await frontend(t, all, { affinitySeconds: 60 });
  const answers = new Set<string>();
  for (let i = 0; i < 4; i++) answers.add(await ask(port, 'x'));
  t.equal(answers.size, 1);
});

t.test('a port in use is reported', async (t) => {
  const { port, balancer, connections } = await frontend(t, []);
  const again = TcpFrontend.listen({ address: '127.0.0.1', port, scope: 'all', balancer, connections });
  await t.rejects(again, { code: 'EADDRINUSE' });
});
