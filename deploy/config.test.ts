import t from 'tap';
import { type ConfigRequest, completeConfig, configChanges } from './config.ts';

const machine = { hostname: 'Node-1', nodeIP: '192.0.2.7' };
const complete = (request: ConfigRequest = {}) => completeConfig(request, undefined, machine);

t.test('defaults are those of kubeadm, with the machine’s own name and address', async (t) => {
  t.match(complete(), {
    nodeName: 'node-1',
    nodeIP: '192.0.2.7',
    clusterCIDR: '10.244.0.0/16',
    serviceCIDR: '10.96.0.0/16',
    clusterDNS: '10.96.0.10',
    ports: { apiserver: 6443, kubelet: 10250 },
  });
});

t.test('the DNS address follows the service network, ports follow the offset', async (t) => {
  const config = complete({ serviceCIDR: '10.7.0.0/20', portOffset: 100, apiserverPort: 9000 });
  t.equal(config.clusterDNS, '10.7.0.10');
  t.match(config.ports, { apiserver: 9000, store: 2479, kubelet: 10350 });
});

t.test('what nobody says again stays as it was saved', async (t) => {
  const saved = complete({ clusterName: 'lab', portOffset: 100 });
  t.same(completeConfig({}, saved, { hostname: 'other', nodeIP: '192.0.2.9' }), saved);
});

t.test('values that cannot work are refused by the name of their flag', async (t) => {
  for (const [request, message] of [
    [{ clusterName: 'Big Name' }, /^--cluster-name Big Name: /],
    [{ nodeName: 'a_b' }, /^--node-name a_b: /],
    [{ nodeIP: '300.1.1.1' }, /^--node-ip 300\.1\.1\.1: /],
    [{ serviceCIDR: '10.96.0.0' }, /^--service-cidr 10\.96\.0\.0: /],
    [{ clusterCIDR: '10.244.0.0/25' }, /^--cluster-cidr 10\.244\.0\.0\/25: /],
    [
      { clusterCIDR: '10.0.0.0/8' },
      /^--cluster-cidr 10\.0\.0\.0\/8 and --service-cidr 10\.96\.0\.0\/16 overlap/,
    ],
    [{ clusterCIDR: '192.0.0.0/16' }, /^--cluster-cidr: contains this node's own address/],
    [{ clusterDNS: '10.1.1.1' }, /^--cluster-dns 10\.1\.1\.1: must be an address in --service-cidr/],
    [{ bridgeName: 'a-much-too-long-name' }, /^--bridge-name /],
    [{ dockerHost: '/var/run/docker.sock' }, /^--docker-host /],
    [{ serviceNodePortRange: '40000-30000' }, /^--service-node-port-range /],
    [{ apiserverPort: 2379 }, /^port 2379 is used twice: by apiserver and store/],
    [{ apiserverPort: 31000 }, /^port 31000 of apiserver lies in --service-node-port-range/],
    [{ portOffset: 60000 }, /is not between 1 and 65535/],
    [{ etcd: { servers: ['10.0.0.1:2379'] } }, /^--etcd-servers 10\.0\.0\.1:2379: /],
  ] as [ConfigRequest, RegExp][])
    t.throws(() => complete(request), { name: 'ConfigError', message }, JSON.stringify(request));
  t.throws(() => completeConfig({}, undefined, { hostname: 'n', nodeIP: undefined }), {
    message: /--node-ip/,
  });
});

t.test('changes are told apart by whether a restart can carry them out', async (t) => {
  const saved = complete();
  t.same(configChanges(saved, complete()), { impossible: [], restart: [] });
  t.same(configChanges(saved, complete({ serviceCIDR: '10.97.0.0/16', portOffset: 1 })), {
    impossible: ['--service-cidr', '--cluster-dns'],
    restart: ['--port-offset/--apiserver-port'],
  });
});

t.test('objects can move to an etcd and back', async (t) => {
  const own = complete();
  const etcd = { servers: ['http://192.0.2.8:2379'] };
  const moved = completeConfig({ etcd }, own, machine);
  t.same(moved.etcd, etcd);
  t.same(configChanges(own, moved), { impossible: [], restart: ['--etcd-servers'] });
  t.same(completeConfig({}, moved, machine), moved);
  t.same(completeConfig({ etcd: { servers: [] } }, moved, machine), own);
});
