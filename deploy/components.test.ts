import t from 'tap';
import { componentSpecs } from './components.ts';
import { completeConfig } from './config.ts';
import { pathsOf } from './paths.ts';

const machine = { hostname: 'node-1', nodeIP: '192.0.2.7' };
const specs = (request = {}) =>
  componentSpecs({
    config: completeConfig(request, undefined, machine),
    paths: pathsOf('/data'),
    node: '/node',
    repository: '/repo',
  });
const command = (name: string, request = {}) =>
  specs(request).find((spec) => spec.name === name)?.command ?? [];

t.test('the store speaks to its clients over mutual TLS on loopback only', async (t) => {
  const store = command('store');
  t.ok(store.includes('--listen-client-urls=https://127.0.0.1:2379'));
  t.ok(store.includes('--client-cert-auth=true'));
  t.ok(command('apiserver').includes('--etcd-servers=https://127.0.0.1:2379'));
});

t.test('with an etcd of somebody else there is no store, and the API server gets its address', async (t) => {
  const request = { etcd: { servers: ['http://192.0.2.9:2379', 'http://192.0.2.10:2379'] } };
  t.notOk(specs(request).some((spec) => spec.name === 'store'));
  const apiserver = command('apiserver', request);
  t.ok(apiserver.includes('--etcd-servers=http://192.0.2.9:2379,http://192.0.2.10:2379'));
  t.notOk(
    apiserver.some((word) => word.startsWith('--etcd-cafile')),
    'no certificates that nobody named',
  );
});

t.test('two clusters on one machine share no port', async (t) => {
  const ports = (request: object) =>
    specs(request).flatMap((spec) => spec.command.flatMap((word) => /[:=](\d{4,5})$/.exec(word)?.[1] ?? []));
  const first = new Set(ports({}));
  t.ok(first.size >= 8);
  t.same(
    ports({ portOffset: 100 }).filter((port) => first.has(port) && !/^\d*(1024|2048|512)$/.test(port)),
    [],
  );
});
