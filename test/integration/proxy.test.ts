import { execFile } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { endpointSlices, namespaces, nodes, services } from '../../api/resources.ts';
import type { Endpoint, EndpointSlice } from '../../api/types/discovery-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import { startControlPlane } from '../lib/control-plane.ts';
import { waitUntil } from '../lib/wait-until.ts';

const run = promisify(execFile);
const namespace = 'default';
// Apart from the service network that a cluster has unless told otherwise.
const network = '10.97.240.0/24';
const address = (host: number) => `10.97.240.${host}`;
/** Pods of the test: addresses of the service network are local, so that servers can have one each. */
const podPort = 8080;

async function backend(name: string, host: number): Promise<Server> {
  const server = createServer((_request, response) => response.end(name));
  server.listen(podPort, address(host));
  await once(server, 'listening');
  return server;
}

/** The body, over a connection of its own. */
function fetchText(host: string, port: number, path = '/'): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, path, agent: false, timeout: 10_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve(body)).on('error', reject);
    });
    request.on('error', reject).on('timeout', () => request.destroy(new Error('timeout')));
  });
}

const ready = (host: number): Endpoint => ({ addresses: [address(host)], conditions: { ready: true } });

const slice = (endpoints: Endpoint[]): EndpointSlice => ({
  metadata: { name: 'web-1', namespace, labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: podPort, protocol: 'TCP' }],
  endpoints,
});

async function setEndpoints(client: ApiClient, endpoints: Endpoint[]): Promise<void> {
  await client.patch(endpointSlices, { name: 'web-1', namespace }, { type: 'merge', body: { endpoints } });
}

t.test('the proxy against the real API server', async (t: Test) => {
  const plane = await startControlPlane(t.testdir(), {
    also: ['proxy'],
    config: { serviceCIDR: network, clusterDNS: address(10) },
  });
  t.teardown(async () => {
    await plane.stop();
    await run('ip', ['route', 'del', 'local', network, 'dev', 'lo']).catch(() => undefined);
  });
  const client = await plane.client();
  await waitUntil('the default namespace', () => client.get(namespaces, { name: namespace }));
  await client.create(nodes, { metadata: { name: 'node-1' } });
  await waitUntil('the route', async () =>
    (await run('ip', ['route', 'show', 'table', 'local'])).stdout.includes(network),
  );

  const created = await client.create(services, {
    metadata: { name: 'web', namespace },
    spec: { type: 'NodePort', selector: {}, ports: [{ name: 'http', port: 80, targetPort: podPort }] },
  });
  const clusterIP = created.spec!.clusterIP!;
  const nodePort = created.spec!.ports![0]!.nodePort!;

  await t.test('a Service without endpoints refuses at once', async (t) => {
    await t.rejects(fetchText(clusterIP, 80), { code: 'ECONNREFUSED' });
  });

  const first = await backend('first', 101);
  t.teardown(() => first.close());

  await t.test('answers on the cluster IP and on the node port', async (t) => {
    await client.create(endpointSlices, slice([ready(101)]));
    await waitUntil('the Service', () => fetchText(clusterIP, 80));
    t.equal(await fetchText(clusterIP, 80), 'first');
    t.equal(await waitUntil('the node port', () => fetchText('127.0.0.1', nodePort)), 'first');
  });

  await t.test('no request fails while pods are replaced', async (t) => {
    const failures: string[] = [];
    let requests = 0;
    let done = false;
    const load = Array.from({ length: 4 }, async () => {
      while (!done) {
        requests++;
        await fetchText(clusterIP, 80).catch((error: Error) => failures.push(error.message));
      }
    });
    let old = first;
    let oldHost = 101;
    for (let round = 0; round < 8; round++) {
      const host = 110 + round;
      const next = await backend(`round ${round}`, host);
      await setEndpoints(client, [ready(oldHost), ready(host)]);
      await waitUntil(
        'the new pod to be used',
        async () => (await fetchText(clusterIP, 80)) === `round ${round}`,
      );
      // The pod is gone before the list says so, as when a container is killed.
      old.close();
      old.closeIdleConnections();
      await fetchText(clusterIP, 80);
      await setEndpoints(client, [ready(host)]);
      old = next;
      oldHost = host;
    }
    done = true;
    await Promise.all(load);
    old.close();
    t.same(failures, []);
    t.ok(requests > 8, `${requests} requests, more than one a round`);
  });

  await t.test(
    'a port that another process holds on all addresses is the Service’s all the same',
    async (t) => {
      const host = createServer((_request, response) => response.end('host'));
      host.listen(0, '0.0.0.0');
      await once(host, 'listening');
      const pod = await backend('pod', 130);
      t.teardown(() => {
        host.close();
        pod.close();
      });
      const { port } = host.address() as AddressInfo;
      const { spec } = await client.create(services, {
        metadata: { name: 'taken', namespace },
        spec: { ports: [{ port }] },
      });
      await client.create(endpointSlices, {
        ...slice([ready(130)]),
        metadata: { name: 'taken-1', namespace, labels: { 'kubernetes.io/service-name': 'taken' } },
        ports: [{ port: podPort, protocol: 'TCP' }],
      });
      await waitUntil('the Service', async () => (await fetchText(spec!.clusterIP!, port)) === 'pod');
      t.equal(await fetchText('127.0.0.1', port), 'host');
      await client.delete(services, { name: 'taken', namespace });
    },
  );

  await t.test('cluster DNS answers names, and NXDOMAIN for what is not there', async (t) => {
    const resolver = new Resolver({ timeout: 2000 });
    resolver.setServers([address(10)]);
    t.same(await resolver.resolve4('web.default.svc.cluster.local'), [clusterIP]);
    t.match(await resolver.resolveSrv('_http._tcp.web.default.svc.cluster.local'), [
      { name: 'web.default.svc.cluster.local', port: 80, priority: 0, weight: 100 },
    ]);
    t.same(await resolver.reverse(clusterIP), ['web.default.svc.cluster.local']);
    await t.rejects(resolver.resolve4('absent.default.svc.cluster.local'), { code: 'ENOTFOUND' });
    await client.delete(services, { name: 'web', namespace });
    await waitUntil('the name to be gone', () =>
      resolver.resolve4('web.default.svc.cluster.local').then(
        () => false,
        (error: NodeJS.ErrnoException) => error.code === 'ENOTFOUND',
      ),
    );
    await waitUntil('the address to be nobody’s', () =>
      fetchText(clusterIP, 80).then(
        () => false,
        (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
      ),
    );
  });

  await t.test('says that it is healthy in kube-proxy’s form, and cleans up', async (t) => {
    const health = JSON.parse(
      await fetchText('127.0.0.1', plane.config.ports.proxyHealth, '/healthz'),
    ) as object;
    t.match(health, { nodeEligible: true, lastUpdated: String, currentTime: String });
    await plane.kill('proxy');
    const main = new URL('../../proxy/main.ts', import.meta.url).pathname;
    const cleanup = () => run(process.execPath, [main, '--cleanup', `--service-cluster-ip-range=${network}`]);
    await cleanup();
    t.notOk((await run('ip', ['route', 'show', 'table', 'local'])).stdout.includes(network));
    t.notOk((await run('iptables-save', ['-t', 'nat'])).stdout.includes(network));
    await cleanup();
  });
});
