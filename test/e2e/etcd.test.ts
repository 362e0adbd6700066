import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { startCluster, type TestCluster } from '../lib/cluster.ts';
import { freePort } from '../lib/free-port.ts';
import { busyboxImage, makeBusyboxImage } from '../lib/images.ts';
import { type RunningProgram, runProgram, startProgram } from '../lib/program.ts';
import { waitUntil } from '../lib/wait-until.ts';

let etcd: RunningProgram;
let url: string;
let cluster: TestCluster | undefined;
const folder = mkdtempSync(join(tmpdir(), 'nkube-e2e-etcd-'));

const etcdctl = async (...args: string[]) =>
  (await runProgram('etcdctl', ['--endpoints', url, ...args], { environment: { ETCDCTL_API: '3' } })).stdout;

t.before(async () => {
  await makeBusyboxImage();
  const [client, peer] = [await freePort(), await freePort()];
  url = `http://127.0.0.1:${client}`;
  etcd = startProgram('etcd', [
    ...['--data-dir', folder],
    ...['--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', `http://127.0.0.1:${peer}`],
  ]);
  await waitUntil('etcd answers', async () => (await etcdctl('endpoint', 'status')).includes(url));
  cluster = await startCluster({ slot: 2, flags: ['--etcd-servers', url] });
});
t.teardown(async () => {
  await cluster?.remove();
  await etcd?.stop();
  rmSync(folder, { recursive: true, force: true });
});

t.test('a real etcd in place of the store works by changing one flag', async (t) => {
  const { kubectl, pidOf } = cluster!;
  t.equal(pidOf('store'), undefined, 'no store of our own runs');
  t.ok(pidOf('apiserver'));
  await kubectl(['run', 'in-etcd', `--image=${busyboxImage}`, '--', 'sleep', '3600']);
  await kubectl(['wait', '--for=condition=Ready', 'pod/in-etcd', '--timeout=60s']);
  t.match(
    await etcdctl('get', '--prefix', '/registry/pods/', '--keys-only'),
    '/registry/pods/default/in-etcd',
  );
  await kubectl(['delete', 'pod', 'in-etcd', '--grace-period=1']);
  t.notMatch(await etcdctl('get', '--prefix', '/registry/pods/', '--keys-only'), 'in-etcd');
});
