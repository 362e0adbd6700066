import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import t from 'tap';
import { ensureSandboxImage } from '../images/pause-image.ts';
import { runCommand } from './command.ts';
import { DockerPodNetwork } from './docker-pod-network.ts';

/** Everything here lies in 10.251.N.0/24 and 198.18.N.0/24 (RFC 2544), N by process. */
const n = process.pid % 250;
const id = `nkt${process.pid}`;
const podCIDR = `10.251.${n}.0/26`;
const otherPod = `10.251.${n}.66`;
const servicePrefix = `10.251.${n}.128/26`;
const serviceIP = `10.251.${n}.130`;
const docker = new Docker({ socketPath: '/var/run/docker.sock' });
const children: ChildProcess[] = [];

/** Answers each connection with the address that it came from. */
const serverProgram = (port: number) =>
  `require('net').createServer((s) => s.end(s.remoteAddress)).listen(${port}, '0.0.0.0', () => console.log('listening'))`;
const clientProgram = (host: string, port: number) =>
  `require('net').connect({host: '${host}', port: ${port}}).setTimeout(60000, function () { this.destroy(new Error('timeout')) }).pipe(process.stdout)`;

const inNamespace = (file: string, program: string) => [`--net=${file}`, process.execPath, '-e', program];

async function serve(namespace: string, port: number): Promise<void> {
  const child = spawn('nsenter', inNamespace(namespace, serverProgram(port)), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout, 'data');
}
const ask = (namespace: string, host: string, port: number) =>
  runCommand('nsenter', inNamespace(namespace, clientProgram(host, port)));
const askFromHost = (host: string, port: number) => text(connect({ host, port }));

const ip = (...args: string[]) => runCommand('ip', args);
/** Rules with the mark of this test's network and all of the chains that they lead to; others come and go. */
const rules = async () => {
  const lines = (await runCommand('iptables-save', [])).split('\n');
  const chains = lines.filter((line) => line.includes(id)).flatMap((line) => line.match(/NKUBE-\S+/g) ?? []);
  return lines
    .filter((line) => line.includes(id) || chains.some((chain) => line.split(/[ :]/).includes(chain)))
    .map((line) => line.replace(/\[\d+:\d+\]/, ''));
};

/** A network namespace on a wire of its own to the host. */
async function neighbour(name: string, hostAddress: string, address: string): Promise<string> {
  const link = `${name}h`;
  await ip('netns', 'add', name);
  await ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
  await ip('addr', 'add', `${hostAddress}/30`, 'dev', link);
  await ip('link', 'set', link, 'up');
  for (const args of [
    ['addr', 'add', `${address}/30`, 'dev', 'eth0'],
    ['link', 'set', 'eth0', 'up'],
    ['link', 'set', 'lo', 'up'],
  ])
    await ip('-n', name, ...args);
  return `/var/run/netns/${name}`;
}

async function startSandbox(
  network: DockerPodNetwork,
  uid: string,
): Promise<{ ip: string; namespace: string }> {
  const address = network.allocate(uid);
  const container = await docker.createContainer({
    Image: await ensureSandboxImage(docker),
    name: `${id}-${uid}`,
    HostConfig: { NetworkMode: network.networkName },
    NetworkingConfig: {
      EndpointsConfig: { [network.networkName]: { IPAMConfig: { IPv4Address: address } } },
    },
  });
  await container.start();
  const { State, NetworkSettings } = await container.inspect();
  t.equal(
    NetworkSettings.Networks[network.networkName]?.IPAddress,
    address,
    'Docker gave the address asked for',
  );
  return { ip: address, namespace: `/proc/${State.Pid}/ns/net` };
}

t.test('the pod network carries what Kubernetes promises, and leaves nothing behind', async (t) => {
  const network = new DockerPodNetwork({
    docker,
    clusterName: id,
    nodeName: 'one',
    bridge: `${id}b`,
    clusterCIDR: `10.251.${n}.0/25`,
  });
  const other = await neighbour(`${id}n`, `198.18.${n}.1`, `198.18.${n}.2`);
  const outside = await neighbour(`${id}o`, `198.18.${n}.5`, `198.18.${n}.6`);
  await ip('route', 'add', 'local', servicePrefix, 'dev', 'lo');
  t.teardown(async () => {
    for (const child of children) child.kill('SIGKILL');
    for (const uid of ['a', 'b'])
      await docker
        .getContainer(`${id}-${uid}`)
        .remove({ force: true })
        .catch(() => {});
    for (const name of [`${id}n`, `${id}o`]) await ip('netns', 'del', name).catch(() => {});
    await ip('route', 'del', 'local', servicePrefix, 'dev', 'lo').catch(() => {});
    await network.cleanup().catch(() => {});
  });

  await network.ensurePodNetwork(podCIDR);
  const ensured = await rules();
  t.ok(ensured.length > 5, `${ensured.length} rules and chains`);
  await network.ensurePodNetwork(podCIDR);
  t.same(await rules(), ensured, 'a second time changes no rule');
  t.equal(network.gateway, `10.251.${n}.1`);

  const a = await startSandbox(network, 'a');
  const b = await startSandbox(network, 'b');
  await serve(a.namespace, 80);
  t.equal(await ask(b.namespace, a.ip, 80), a.ip.replace(/\d+$/, '3'), 'pods of a node see each other');
  t.equal(await askFromHost(a.ip, 80), network.gateway, 'the host reaches a pod');

  const server = createServer((socket) => socket.end(String(socket.remoteAddress))).listen(0, serviceIP);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  t.equal(
    await ask(a.namespace, serviceIP, port),
    a.ip,
    'a pod reaches an AnyIP service address of the node',
  );
  server.close();

  await serve(outside, 8080);
  t.equal(
    await ask(a.namespace, `198.18.${n}.6`, 8080),
    `198.18.${n}.5`,
    'outside the cluster it is the node',
  );

  const node = {
    metadata: { name: 'two' },
    spec: { podCIDR: `10.251.${n}.64/26` },
    status: { addresses: [{ type: 'InternalIP', address: `198.18.${n}.2` }] },
  };
  await ip('-n', `${id}n`, 'addr', 'add', `${otherPod}/32`, 'dev', 'lo');
  await ip('-n', `${id}n`, 'route', 'add', podCIDR, 'via', `198.18.${n}.1`, 'src', otherPod);
  t.same(await network.ensureRoutes([node]), []);
  await serve(other, 80);
  t.equal(await ask(a.namespace, otherPod, 80), a.ip, 'a pod of another node sees the real address');
  t.equal(await ask(other, a.ip, 80), otherPod, 'and the other way round');
  t.equal(await askFromHost(otherPod, 80), `198.18.${n}.1`, 'the host reaches a pod of another node');

  t.same(await network.ensureRoutes([]), []);
  t.notMatch(await ip('route'), `10.251.${n}.64`, 'no route stays for a node that is gone');

  const unreachable = { ...node, status: { addresses: [{ type: 'InternalIP', address: '203.0.113.9' }] } };
  const [error] = await network.ensureRoutes([unreachable]);
  t.match(
    error?.message,
    /route replace 10\.251\.\d+\.64\/26 via 203\.0\.113\.9/,
    'a node out of reach is named',
  );

  await t.rejects(network.ensurePodNetwork(`10.251.${n}.64/26`), /in use by .*nkt\d+-[ab]/);
  for (const uid of ['a', 'b']) await docker.getContainer(`${id}-${uid}`).remove({ force: true });
  await network.ensurePodNetwork(`10.251.${n}.64/26`);
  t.equal(network.gateway, `10.251.${n}.65`, 'an unused network moves to another pod CIDR');

  await network.cleanup();
  for (const name of [`${id}n`, `${id}o`]) await ip('netns', 'del', name);
  await ip('route', 'del', 'local', servicePrefix, 'dev', 'lo');
  t.same(
    (await rules()).filter((rule) => rule.includes(id)),
    [],
    'no rule stays',
  );
  t.notMatch(await ip('route'), `10.251.${n}.`, 'no route stays');
  t.same(await docker.listNetworks({ filters: { name: [id] } }), [], 'no network stays');
});

t.test('before the node has a pod CIDR, addresses are refused but existing ones remembered', async (t) => {
  const network = new DockerPodNetwork({
    docker,
    clusterName: `${id}-none`,
    nodeName: 'one',
    bridge: `${id}x`,
    clusterCIDR: '10.251.0.0/16',
  });
  network.adopt('a', '10.251.0.2');
  t.throws(() => network.allocate('b'), /no podCIDR/);
});
