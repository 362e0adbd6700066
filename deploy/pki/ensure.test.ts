import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { type ClusterConfig, completeConfig } from '../config.ts';
import { pathsOf } from '../paths.ts';
import { ensurePki } from './ensure.ts';
import { lifetimes } from './plan.ts';

const now = Date.now() / 1000;
const config = completeConfig({}, undefined, { hostname: 'node-1', nodeIP: '192.0.2.7' });

async function cluster(t: { testdir(): string }, of: ClusterConfig = config) {
  const paths = pathsOf(t.testdir());
  const made = await ensurePki(of, paths, now);
  return { paths, made };
}

const certificate = (path: string) => new X509Certificate(readFileSync(path));

t.test('a new cluster gets every certificate, key and kubeconfig, and a second run makes none', async (t) => {
  const { paths, made } = await cluster(t);
  t.same(made.sort(), [
    'admin.conf',
    'apiserver-etcd-client.crt',
    'apiserver-kubelet-client.crt',
    'apiserver.crt',
    'ca.crt',
    'controller-manager.conf',
    'etcd/ca.crt',
    'etcd/server.crt',
    'kubelet.conf',
    'kubelet.crt',
    'proxy.conf',
    'sa.key',
    'scheduler.conf',
  ]);
  t.same(await ensurePki(config, paths, now), []);
});

t.test('the API server certificate names all that clients dial', async (t) => {
  const { paths } = await cluster(t);
  const names = certificate(join(paths.pki, 'apiserver.crt')).subjectAltName!.split(', ');
  for (const name of [
    'DNS:kubernetes',
    'DNS:kubernetes.default.svc.cluster.local',
    'DNS:localhost',
    'DNS:node-1',
    'IP Address:10.96.0.1',
    'IP Address:192.0.2.7',
    'IP Address:127.0.0.1',
  ])
    t.ok(names.includes(name), name);
});

t.test('identities carry the names that authorization reads, signed by the cluster CA', async (t) => {
  const { paths } = await cluster(t);
  const ca = certificate(join(paths.pki, 'ca.crt'));
  for (const [file, subject] of [
    ['admin', 'O=system:masters\nCN=kubernetes-admin'],
    ['controller-manager', 'CN=system:kube-controller-manager'],
    ['scheduler', 'CN=system:kube-scheduler'],
    ['kubelet', 'O=system:nodes\nCN=system:node:node-1'],
    ['proxy', 'CN=system:kube-proxy'],
  ] as const) {
    const loaded = await loadKubeconfig(paths.kubeconfig(file));
    const own = new X509Certificate(loaded.cert!);
    t.equal(own.subject, subject, file);
    t.ok(own.verify(ca.publicKey), file);
    t.same(own.keyUsage, ['1.3.6.1.5.5.7.3.2'], `${file} is for clients`);
    t.ok(own.checkPrivateKey(createPrivateKey(loaded.key!)), file);
    t.equal(loaded.server, 'https://192.0.2.7:6443');
    t.equal(String(loaded.ca), readFileSync(join(paths.pki, 'ca.crt'), 'utf8'));
  }
});

t.test('private keys are for their owner alone, and opened ones are closed again', async (t) => {
  const { paths } = await cluster(t);
  const secrets = ['pki/ca.key', 'pki/etcd/server.key', 'pki/sa.key', 'admin.conf', 'kubelet.conf'];
  for (const file of secrets) t.equal(statSync(join(paths.root, file)).mode & 0o777, 0o600, file);
  chmodSync(join(paths.pki, 'ca.key'), 0o644);
  await ensurePki(config, paths, now);
  t.equal(statSync(join(paths.pki, 'ca.key')).mode & 0o777, 0o600);
});

t.test('certificates last a year and their CA ten', async (t) => {
  const { paths } = await cluster(t);
  const days = (path: string) => Math.round((Date.parse(certificate(path).validTo) / 1000 - now) / 86_400);
  t.equal(days(join(paths.pki, 'ca.crt')), 3650);
  t.equal(days(join(paths.pki, 'etcd/ca.crt')), 3650);
  t.equal(days(join(paths.pki, 'kubelet.crt')), 365);
});

t.test('what nears its end is made anew, the CA stays', async (t) => {
  const { paths } = await cluster(t);
  const made = await ensurePki(config, paths, now + lifetimes.leaf - lifetimes.renewBefore + 60);
  t.ok(made.includes('apiserver.crt'));
  t.ok(made.includes('kubelet.conf'));
  t.notOk(made.includes('ca.crt'));
});

t.test('another node address renews server certificates and keeps client ones', async (t) => {
  const { paths } = await cluster(t);
  const before = await loadKubeconfig(paths.kubeconfig('admin'));
  const made = await ensurePki({ ...config, nodeIP: '192.0.2.8' }, paths, now);
  t.same(made.filter((file) => file.endsWith('.crt')).sort(), [
    'apiserver.crt',
    'etcd/server.crt',
    'kubelet.crt',
  ]);
  const after = await loadKubeconfig(paths.kubeconfig('admin'));
  t.equal(after.server, 'https://192.0.2.8:6443');
  t.same(after.cert, before.cert);
});

t.test('a lost leaf is replaced, a CA that lost its key is refused only when it must sign', async (t) => {
  const { paths } = await cluster(t);
  rmSync(join(paths.pki, 'ca.key'));
  t.same(await ensurePki(config, paths, now), []);
  rmSync(join(paths.pki, 'kubelet.crt'));
  await t.rejects(ensurePki(config, paths, now), { name: 'PkiError', message: /ca\.key: missing/ });
});

t.test('a damaged CA is refused, never replaced', async (t) => {
  const { paths } = await cluster(t);
  writeFileSync(join(paths.pki, 'ca.crt'), 'garbage');
  await t.rejects(ensurePki(config, paths, now), { name: 'PkiError', message: /ca\.crt: unreadable/ });
});

t.test('a damaged kubeconfig is made anew', async (t) => {
  const { paths } = await cluster(t);
  writeFileSync(paths.kubeconfig('proxy'), '{');
  t.same(await ensurePki(config, paths, now), ['proxy.conf']);
});
