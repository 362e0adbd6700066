import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import t from 'tap';
import { testServer } from './testing/test-server.ts';

const logs = (query = '', container = 'main') => `/containerLogs/default/web/${container}?${query}`;

t.test('the log of a container, whole and in parts', async (t) => {
  const { run, get } = await testServer(t);
  const { exited } = await run('for i in 1 2 3; do echo line $i; done; echo error >&2; printf end');
  await exited();
  const read = async (query: string) => (await get(logs(query))).text();
  const lines = (await read('')).split('\n');
  t.same(lines.toSorted(), ['end', 'error', 'line 1', 'line 2', 'line 3']);
  t.equal((await read('tailLines=2')).split('\n').length, 2);
  t.equal(await read('tailLines=0'), '');
  t.equal(await read('stream=Stdout&limitBytes=8'), 'line 1\nl');
  t.equal(await read('sinceTime=2099-01-01T00:00:00Z'), '');
  t.equal(await read('stream=Stderr'), 'error\n');
  const stamped = (await read('timestamps=true&stream=Stdout')).split('\n');
  for (const line of stamped) t.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z \S/);
  const since = stamped[1]!.split(' ')[0];
  t.equal(
    await read(`sinceTime=${since}&stream=Stdout`),
    'line 2\nline 3\nend',
    'what came at that very time is there',
  );
});

t.test('lines longer than the engine keeps in one piece come whole, with one timestamp', async (t) => {
  const { run, get } = await testServer(t);
  const script = 'x=0123456789; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do x="$x$x"; done; echo "$x"';
  const { exited } = await run(script);
  await exited();
  const text = await (await get(logs('timestamps=true'))).text();
  t.equal(text.length, 40_960 + 1 + 31);
  t.match(text, /^\S{30} (0123456789)+\n$/);
});

t.test(
  'following gives lines as they come and ends with the container, its last words included',
  async (t) => {
    const { run, get } = await testServer(t);
    const { container } = await run(
      'echo first; read line; i=0; while [ $i -lt 5000 ]; do echo "number $i"; i=$((i+1)); done',
      {
        OpenStdin: true,
        Tty: false,
      },
    );
    const stdin = await container.attach({ stream: true, stdin: true, hijack: true });
    t.teardown(() => (stdin as Duplex).destroy());
    const { response } = await get(logs('follow=true'));
    const [first] = await once(response, 'data');
    t.equal(String(first), 'first\n');
    let rest = '';
    response.on('data', (chunk) => (rest += chunk));
    stdin.write('go\n');
    await once(response, 'end');
    t.equal(rest.split('\n').length, 5001);
    t.match(rest, /number 4999\n$/);
  },
);

t.test('a client that stops following lets go of the engine', async (t) => {
  const { run, get } = await testServer(t);
  await run('echo first; sleep 60');
  const { response } = await get(logs('follow=true'));
  await once(response, 'data');
  response.destroy();
  const { response: again } = await get(logs('follow=true&tailLines=0'));
  t.equal(again.statusCode, 200);
  again.destroy();
});

t.test('a terminal writes one log', async (t) => {
  const { run, get } = await testServer(t);
  const { exited } = await run('echo out; echo err >&2', { Tty: true });
  await exited();
  t.equal(await (await get(logs())).text(), 'out\r\nerr\r\n');
});

t.test('previous is the attempt before, or the last one while the next waits', async (t) => {
  const { run, get, pod } = await testServer(t);
  await (await run('echo attempt 0')).exited();
  const none = await get(logs('previous=true'));
  t.same(
    [none.code, await none.text()],
    [400, 'previous terminated container "main" in pod "web" not found'],
  );
  pod.status = { containerStatuses: [waiting('CrashLoopBackOff')] };
  t.equal(await (await get(logs('previous=true'))).text(), 'attempt 0\n');
  await run('echo attempt 1; sleep 60');
  pod.status = {};
  t.equal(await (await get(logs('previous=true'))).text(), 'attempt 0\n');
});

const waiting = (reason: string) => ({
  name: 'main',
  image: '',
  imageID: '',
  ready: false,
  restartCount: 0,
  state: { waiting: { reason } },
});

t.test('without a log the answer says why', async (t) => {
  const { get, pod } = await testServer(t);
  const answer = async (path: string) => {
    const { code, text } = await get(path);
    return [code, await text()];
  };
  const starts = 'container "main" in pod "web" is waiting to start:';
  t.same(await answer(logs()), [400, `${starts} ContainerCreating`]);
  for (const [reason, words] of [
    ['CreateContainerConfigError', 'CreateContainerConfigError'],
    ['ErrImagePull', "image can't be pulled"],
    ['ImagePullBackOff', 'trying and failing to pull image'],
  ] as const) {
    pod.status = { containerStatuses: [waiting(reason)] };
    t.same(await answer(logs()), [400, `${starts} ${words}`]);
  }
  t.same(await answer(logs('', 'none')), [404, 'container "none" not found in pod "web"']);
  t.same(await answer('/containerLogs/default/none/main'), [404, 'pod "none" does not exist']);
  t.same(await answer(logs('tailLines=x')), [400, '{"message": "Unable to decode query."}']);
});
