import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { SpdyTestClient } from '../testing/spdy-test-client.ts';
import { SpdyConnection } from './connection.ts';
import { controlFrame, controlType, type Frame, flagFin, words } from './frames.ts';
import { HeaderReader } from './headers.ts';
import type { SpdyStream } from './stream.ts';

async function setUp(t: Test, onStream: (stream: SpdyStream) => void) {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const accepted = once(server, 'connection');
  const client = new SpdyTestClient(connect(port, '127.0.0.1'));
  const [socket] = (await accepted) as [Socket];
  const connection = new SpdyConnection(socket, onStream, { pingWhileBlockedMs: 20 });
  t.teardown(() => {
    client.socket.destroy();
    socket.destroy();
    server.close();
  });
  return { client, connection, socket };
}

t.test('streams carry headers and data both ways and close each direction alone', async (t) => {
  const { client } = await setUp(t, (stream) => {
    t.same(stream.headers, { streamtype: stream.id === 1 ? 'data' : 'error', port: '80' });
    stream.pipe(stream);
  });
  await client.open(1, { streamType: 'data', port: '80' });
  await client.open(3, { streamType: 'error', port: '80' });
  const reply = (await client.control(controlType.synReply)) as Frame & { kind: 'control' };
  t.equal(reply.payload.readUInt32BE(0), 1);
  t.same(
    await new HeaderReader().read(reply.payload.subarray(4)),
    {},
    'the reply has a readable header block',
  );
  client.data(1, 'hello', true);
  const echo = (await client.frame((frame) => frame.kind === 'data' && frame.data.length > 0)) as Frame & {
    kind: 'data';
  };
  t.same([echo.streamId, echo.data.toString()], [1, 'hello']);
  const end = await client.frame((frame) => frame.kind === 'data' && frame.fin);
  t.match(end, { streamId: 1 });
});

t.test('a long transfer arrives whole, in order, through a slow reader', async (t) => {
  const received = Promise.withResolvers<Buffer>();
  const { client } = await setUp(t, (stream) => {
    void buffer(stream).then(received.resolve);
  });
  await client.open(1, { streamType: 'data' });
  const sent = Buffer.alloc(3_000_000, 'abcdefghij');
  for (let at = 0; at < sent.length; at += 300_000) client.data(1, sent.subarray(at, at + 300_000));
  client.data(1, '', true);
  t.ok((await received.promise).equals(sent));
});

t.test('a stream that is not read holds the sender back', async (t) => {
  const opened = Promise.withResolvers<SpdyStream>();
  const { client } = await setUp(t, opened.resolve);
  await client.open(1, { streamType: 'data' });
  const stream = await opened.promise;
  const chunk = Buffer.alloc(1_000_000);
  for (let i = 0; i < 32; i++) client.data(1, chunk, i === 31);
  await once(stream, 'readable');
  t.ok(client.socket.writableLength > 16_000_000, 'most of 32 MB waits at the sender');
  t.ok(stream.readableLength < 1_000_000);
  t.equal((await buffer(stream)).length, 32_000_000);
});

t.test('pings are answered, resets end a stream, and the rest goes on', async (t) => {
  const streams: SpdyStream[] = [];
  const { client } = await setUp(t, (stream) => streams.push(stream));
  client.socket.write(controlFrame(controlType.ping, 0, words(7)));
  t.match(await client.control(controlType.ping), { payload: words(7) });
  await client.open(1, {});
  await client.open(3, {});
  await client.control(controlType.synReply);
  await client.control(controlType.synReply);
  const closed = once(streams[0]!, 'close');
  client.socket.write(controlFrame(controlType.rstStream, 0, words(1, 5)));
  await closed;
  streams[1]!.end('still here');
  t.match(await client.frame((frame) => frame.kind === 'data'), { streamId: 3 });
});

t.test('FIN on SYN_STREAM means that the client sends nothing', async (t) => {
  const received = Promise.withResolvers<string>();
  const { client } = await setUp(t, (stream) => void text(stream).then(received.resolve));
  await client.open(1, {}, flagFin);
  t.equal(await received.promise, '');
});

t.test('the peer going away ends streams and connection; so does closing', async (t) => {
  const opened = Promise.withResolvers<SpdyStream>();
  const one = await setUp(t, opened.resolve);
  await one.client.open(1, {});
  const stream = await opened.promise;
  const streamClosed = once(stream, 'close');
  one.client.socket.destroy();
  await streamClosed;
  t.ok(one.connection.closed.aborted);

  const two = await setUp(t, () => undefined);
  await two.client.open(1, {});
  await two.client.control(controlType.synReply);
  const ended = Promise.all([once(two.client.socket, 'close'), once(two.socket, 'close')]);
  two.connection.close();
  await two.client.control(controlType.goAway);
  await ended;
  t.ok(two.connection.closed.aborted);
});

t.test('the peer going away is noticed while a stream is not read', async (t) => {
  const opened = Promise.withResolvers<SpdyStream>();
  const { client, connection } = await setUp(t, opened.resolve);
  await client.open(1, {});
  const stream = await opened.promise;
  const closed = once(stream, 'close');
  for (let i = 0; i < 8; i++) client.data(1, Buffer.alloc(1_000_000));
  await client.control(controlType.ping);
  (client.socket as Socket).resetAndDestroy();
  await closed;
  t.ok(connection.closed.aborted);
});

t.test('what is not SPDY/3.1 closes the connection', async (t) => {
  const garbage: [string, Buffer][] = [
    ['an endless control frame', Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff])],
    ['a header block that is none', controlFrame(controlType.synStream, 0, Buffer.alloc(40, 0xff))],
    ['a SYN_STREAM cut off', controlFrame(controlType.synStream, 0, Buffer.alloc(4))],
  ];
  for (const [name, bytes] of garbage) {
    const { client, connection } = await setUp(t, () => t.fail(`${name} opened a stream`));
    const closed = once(client.socket, 'close');
    client.socket.write(bytes);
    await closed;
    t.ok(connection.closed.aborted, name);
  }
});

t.test('header blocks that swell are refused', async (t) => {
  const { client, connection } = await setUp(t, () => t.fail('opened a stream'));
  const closed = once(client.socket, 'close');
  await client.open(1, { long: 'x'.repeat(1_000_000) });
  await closed;
  t.ok(connection.closed.aborted);
});
