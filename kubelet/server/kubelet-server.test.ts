import t from 'tap';
import { testServer } from './testing/test-server.ts';

t.test('health is free; the rest is for the apiserver and administrators', async (t) => {
  const { authority, get } = await testServer(t);
  const others = await testServer(t);
  const none = {};
  const node = await authority.issue('CN=system:node:one,O=system:nodes');
  const admin = await authority.issue('CN=somebody,O=system:masters');
  const foreign = await others.authority.issue('CN=kube-apiserver-kubelet-client');
  const cases: [string, object, number, string][] = [
    ['/healthz', none, 200, 'ok'],
    ['/pods', none, 401, 'Unauthorized'],
    ['/nothing', none, 401, 'Unauthorized'],
    ['/pods', foreign, 401, 'Unauthorized'],
    ['/pods', node, 403, 'Forbidden (user="system:node:one", verb=get, resource=nodes, subresource=proxy)'],
    ['/metrics', admin, 200, 'up 1\n'],
    ['/nothing', admin, 404, '404 page not found\n'],
  ];
  for (const [path, keys, code, body] of cases) {
    const answer = await get(path, keys);
    t.same([answer.code, await answer.text()], [code, body], `${path} ${JSON.stringify(keys).slice(0, 30)}`);
  }
  t.equal((await get('/pods', undefined, 'DELETE')).code, 405);
});

t.test('pods are listed as the API lists them', async (t) => {
  const { get, pod } = await testServer(t);
  t.same(JSON.parse(await (await get('/pods')).text()), {
    kind: 'PodList',
    apiVersion: 'v1',
    metadata: {},
    items: [pod],
  });
});

t.test('streams are refused before the upgrade when they cannot be', async (t) => {
  const { run, webSocket, spdy, get, authority } = await testServer(t);
  const { exited } = await run('exit 0', {}, 'side');
  await exited();
  await run('sleep 60');
  const exec = '/exec/default/web/main';
  const cases: [string, RegExp][] = [
    ['/exec/default/none/main?command=id&output=1', /^404 pod "none" does not exist$/],
    ['/exec/default/web/other-uid/main?command=id&output=1', /^404 pod "web" does not exist$/],
    ['/exec/default/web/none?command=id&output=1', /^500 container not found \("none"\)$/],
    ['/exec/default/web/side?command=id&output=1', /^500 container not running \([0-9a-f]{64}\)$/],
    [`${exec}?command=id`, /^400 you must specify at least 1 of stdin, stdout, stderr$/],
    [`${exec}?output=1`, /^400 you must specify at least 1 command$/],
    ['/portForward/default/web', /^500 pod not found \("web_default"\)$/],
    ['/pods', /^400 \/pods cannot be upgraded$/],
  ];
  for (const [path, message] of cases) {
    await t.rejects(webSocket(path, ['v5.channel.k8s.io']), message, `WebSocket ${path}`);
    await t.rejects(spdy(path, ['v4.channel.k8s.io']), message, `SPDY ${path}`);
  }
  await t.rejects(
    webSocket(`${exec}?command=id&output=1`, ['v9.channel.k8s.io']),
    /^403 unable to upgrade: unable to negotiate protocol: client supports \[v9\.channel\.k8s\.io\], server accepts \[v5/,
  );
  t.equal((await get(`${exec}?command=id&output=1`)).code, 400, 'a plain request is told to upgrade');
  const node = await authority.issue('CN=system:node:one,O=system:nodes');
  t.equal((await get(`${exec}?command=id&output=1`, node, 'POST')).code, 403);
});
