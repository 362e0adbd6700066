import { once } from 'node:events';
import t from 'tap';
import { collect, testServer } from '../testing/test-server.ts';

const v5 = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
const success = '{"metadata":{},"status":"Success"}';
const exec = (script: string, flags = 'output=1&error=1') =>
  `/exec/default/web/main?${flags}&${['sh', '-c', script].map((word) => `command=${encodeURIComponent(word)}`).join('&')}`;
const stdin = (text: string) => Buffer.concat([Buffer.from([0]), Buffer.from(text)]);

t.test('WebSocket: output by channel, then the exit code', async (t) => {
  const { run, webSocket } = await testServer(t);
  await run('sleep 60');
  const done = collect(await webSocket(exec('echo out; echo err >&2; exit 3'), v5));
  const channels = await done.end;
  t.same(channels.slice(1, 3), ['out\n', 'err\n']);
  t.same(JSON.parse(channels[3]!), {
    metadata: {},
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: 'command terminated with non-zero exit code: exit status 3',
    details: { causes: [{ reason: 'ExitCode', message: '3' }] },
  });
  t.equal((await collect(await webSocket(exec('true'), v5)).end)[3], success);
});

t.test('WebSocket: v5 closes stdin, and all of a long transfer comes through', async (t) => {
  const { run, webSocket } = await testServer(t);
  await run('sleep 60');
  const socket = await webSocket(exec('cat', 'input=1&output=1'), v5);
  const done = collect(socket);
  const line = `${'0123456789'.repeat(3000)}\n`;
  for (let i = 0; i < 100; i++) socket.send(stdin(line));
  socket.send(Buffer.from([255, 0]));
  const channels = await done.end;
  t.equal(channels[1]?.length, 100 * line.length);
  t.ok(channels[1] === line.repeat(100));
  t.equal(channels[3], success);
});

t.test('WebSocket: a terminal has its size, and one output', async (t) => {
  const { run, webSocket } = await testServer(t);
  await run('sleep 60');
  const socket = await webSocket(
    exec(
      'trap "stty size" WINCH; echo ready; until [ -n "$line" ]; do read line; done; echo "got $line"',
      'input=1&output=1&tty=1',
    ),
    v5,
  );
  const done = collect(socket);
  await done.until(1, 'ready');
  socket.send(Buffer.concat([Buffer.from([4]), Buffer.from('{"Width":91,"Height":27}')]));
  socket.send(Buffer.concat([Buffer.from([4]), Buffer.from('nonsense')]));
  await done.until(1, '27 91');
  socket.send(stdin('hello\r'));
  const channels = await done.end;
  t.match(channels[1], /got hello\r\n/);
  t.notOk(channels[2]);
  t.equal(channels[3], success);
});

t.test('a command that does not exist fails as the engine says', async (t) => {
  const { run, webSocket } = await testServer(t);
  await run('sleep 60');
  const channels = await collect(
    await webSocket('/exec/default/web/main?output=1&error=1&command=nonesuch', v5),
  ).end;
  t.match(`${channels[1]}${channels[2]}${channels[3]}`, /"nonesuch": executable file not found/);
  t.equal(JSON.parse(channels[3]!).status, 'Failure');
});

t.test('a client that goes away takes its command with it', async (t) => {
  const { run, webSocket, spdy } = await testServer(t);
  const { container } = await run('sleep 60');
  // Without a terminal and without stdin nothing but us would ever end it.
  const running = async () => JSON.stringify((await container.top()).Processes).includes('sleep 1234');
  const gone = async () => {
    const deadline = Date.now() + 10_000;
    while (await running()) if (Date.now() > deadline) return false;
    return true;
  };
  const socket = await webSocket(exec('echo ready; sleep 1234; true'), v5);
  await collect(socket).until(1, 'ready');
  t.ok(await running());
  socket.terminate();
  t.ok(await gone(), 'after WebSocket');

  const { client } = await spdy(exec('echo ready; sleep 1234; true', 'output=1'), ['v4.channel.k8s.io']);
  await client.open(1, { streamType: 'error' });
  await client.open(3, { streamType: 'stdout' });
  await client.frame((frame) => frame.kind === 'data' && frame.data.includes('ready'));
  client.socket.destroy();
  t.ok(await gone(), 'after SPDY');
});

t.test('a client that goes away at once takes its command with it, too', async (t) => {
  const { run, webSocket } = await testServer(t);
  const { container } = await run('sleep 60');
  const processes = async () => (await container.top()).Processes.length;
  const alone = await processes();
  const execs = async () => (await container.inspect()).ExecIDs ?? [];
  for (let i = 0; i < 5; i++) (await webSocket(exec('sleep 1234; true'), v5)).terminate();
  const deadline = Date.now() + 60_000;
  // Either order is fine: killed after the start, or never started.
  let quiet = 0;
  while (quiet < 5 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    quiet = (await processes()) === alone && (await execs()).length === 0 ? quiet + 1 : 0;
  }
  t.equal(quiet, 5, 'no command is left');
});

t.test('a client that goes away in the middle of a flood takes its command with it', async (t) => {
  const { run, webSocket, spdy } = await testServer(t);
  const { container } = await run('sleep 60');
  const alone = (await container.top()).Processes.length;
  const flood = exec('while :; do cat /bin/busybox; done', 'output=1');
  const gone = async () => {
    const deadline = Date.now() + 60_000;
    while ((await container.top()).Processes.length > alone) if (Date.now() > deadline) return false;
    return true;
  };
  const socket = await webSocket(flood, v5);
  await once(socket, 'message');
  socket.pause();
  socket.terminate();
  t.ok(await gone(), 'after WebSocket');

  const { client } = await spdy(flood, ['v4.channel.k8s.io']);
  await client.open(1, { streamType: 'error' });
  await client.open(3, { streamType: 'stdout' });
  await client.frame((frame) => frame.kind === 'data' && frame.streamId === 3);
  client.socket.pause();
  client.socket.destroy();
  t.ok(await gone(), 'after SPDY');
});

t.test('a container that is removed ends its commands', async (t) => {
  const { run, webSocket } = await testServer(t);
  const { container } = await run('sleep 60');
  const output = collect(await webSocket(exec('echo ready; sleep 1234; true'), v5));
  await output.until(1, 'ready');
  await container.remove({ force: true });
  t.match(JSON.parse((await output.end)[3]!), {
    reason: 'NonZeroExitCode',
    details: { causes: [{ message: '137' }] },
  });
});

t.test('a malformed WebSocket request is refused', async (t) => {
  const { run, get } = await testServer(t);
  await run('sleep 60');
  const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
  const { code, text } = await get(exec('true'), undefined, 'GET', headers);
  t.same([code, await text()], [400, 'Missing or invalid Sec-WebSocket-Key header']);
});

t.test('a command that leaves a child behind ends all the same', async (t) => {
  const { run, webSocket } = await testServer(t);
  await run('sleep 60');
  const channels = await collect(await webSocket(exec('sleep 1000 >/dev/null 2>&1 & echo started'), v5)).end;
  t.equal(channels[1], 'started\n');
  t.equal(channels[3], success);
});

t.test('SPDY: streams of v4 with the status as JSON', async (t) => {
  const { run, spdy } = await testServer(t);
  await run('sleep 60');
  const { client, version } = await spdy(exec('cat; echo err >&2; exit 7', 'input=1&output=1&error=1'), [
    'v5.channel.k8s.io',
    'v4.channel.k8s.io',
    'v3.channel.k8s.io',
  ]);
  t.equal(version, 'v4.channel.k8s.io');
  await client.open(1, { streamType: 'error' });
  await client.open(3, { streamType: 'stdin' });
  await client.open(5, { streamType: 'stdout' });
  await client.open(7, { streamType: 'stderr' });
  client.data(3, 'through\n', true);
  t.equal(await client.text(5), 'through\n');
  t.equal(await client.text(7), 'err\n');
  t.match(JSON.parse(await client.text(1)), { details: { causes: [{ reason: 'ExitCode', message: '7' }] } });
  await once(client.socket, 'close');
});

t.test('SPDY: a terminal with resize stream; older versions tell the status as text', async (t) => {
  const { run, spdy } = await testServer(t);
  await run('sleep 60');
  const path = exec(
    'trap "stty size" WINCH; echo ready; until [ -n "$line" ]; do read line; done; exit 2',
    'input=1&output=1&tty=1',
  );
  const { client, version } = await spdy(path, ['v3.channel.k8s.io']);
  t.equal(version, 'v3.channel.k8s.io');
  await client.open(1, { streamType: 'error' });
  await client.open(3, { streamType: 'stdin' });
  await client.open(5, { streamType: 'stdout' });
  await client.open(7, { streamType: 'resize' });
  await client.frame((frame) => frame.kind === 'data' && frame.data.includes('ready'));
  client.data(7, '{"Width":91,"Hei');
  client.data(7, 'ght":27}\n');
  await client.frame((frame) => frame.kind === 'data' && frame.data.includes('27 91'));
  client.data(3, 'go\n');
  t.equal(await client.text(1), 'command terminated with non-zero exit code: exit status 2');
});

t.test('attach joins the container itself: its input, its output, its end', async (t) => {
  const { run, webSocket } = await testServer(t);
  const { container } = await run('while read line; do echo "got $line"; [ "$line" = end ] && exit 5; done', {
    OpenStdin: true,
  });
  const attach = '/attach/default/web/main?input=1&output=1&error=1';
  const first = await webSocket(attach, v5);
  const firstOutput = collect(first);
  first.send(stdin('one\n'));
  await firstOutput.until(1, 'got one');
  first.terminate();

  const second = await webSocket(attach, v5);
  const output = collect(second);
  second.send(stdin('two\nend\n'));
  const channels = await output.end;
  t.equal(channels[1], 'got two\ngot end\n', 'the container went on after the first client left');
  t.equal(channels[3], success);
  t.equal((await container.inspect()).State.ExitCode, 5);
});
