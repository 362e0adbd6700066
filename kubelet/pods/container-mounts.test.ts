import { mkdir, mkdtemp, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { VolumeMount } from '../../api/types/core-v1.ts';
import { ContainerConfigError } from '../environment/config-error.ts';
import { writeAtomically } from '../volumes/atomic-writer.ts';
import { containerMounts } from './container-mounts.ts';

const root = await realpath(await mkdtemp(join(tmpdir(), 'nkube-mounts-')));
t.teardown(() => rm(root, { recursive: true, force: true }));

const own = [{ source: '/kubelet/hosts', target: '/etc/hosts', readOnly: false }];
const mounts = (...volumeMounts: VolumeMount[]) =>
  containerMounts({
    pod: {},
    container: { name: 'c', volumeMounts },
    volumes: new Map([['v', root]]),
    environment: new Map([['POD', 'web-0']]),
    own,
  });

t.test('volumes, then the kubelet’s own files', async (t) => {
  t.same(
    await mounts({ name: 'v', mountPath: '/data', readOnly: true, mountPropagation: 'HostToContainer' }),
    [{ source: root, target: '/data', readOnly: true, propagation: 'rslave' }, ...own],
  );
  t.same(await mounts({ name: 'v', mountPath: 'relative' }), [
    { source: root, target: '/relative', readOnly: false },
    ...own,
  ]);
});

t.test('what a container mounts itself is not mounted over', async (t) => {
  t.same(await mounts({ name: 'v', mountPath: '/etc/hosts/' }), [
    { source: root, target: '/etc/hosts/', readOnly: false },
  ]);
});

t.test('a subPath is a part of the volume, made if need be', async (t) => {
  const [first] = await mounts({ name: 'v', mountPath: '/a', subPath: 'new/folder' });
  t.equal(first?.source, join(root, 'new/folder'));
  t.ok((await stat(join(root, 'new/folder'))).isDirectory());
  await writeFile(join(root, 'file'), '');
  t.equal((await mounts({ name: 'v', mountPath: '/a', subPath: 'file' }))[0]?.source, join(root, 'file'));
  const [expanded] = await mounts({ name: 'v', mountPath: '/a', subPathExpr: 'logs/$(POD)' });
  t.equal(expanded?.source, join(root, 'logs/web-0'));
});

t.test('a file of a configMap can be a subPath, though it is a link through ..data', async (t) => {
  const folder = join(root, 'config');
  await mkdir(folder);
  await writeAtomically(folder, new Map([['key', { data: Buffer.from('v'), mode: 0o644 }]]));
  const [mount] = await containerMounts({
    pod: {},
    container: { name: 'c', volumeMounts: [{ name: 'v', mountPath: '/k', subPath: 'key' }] },
    volumes: new Map([['v', folder]]),
    environment: new Map(),
    own: [],
  });
  t.match(mount?.source, /\/config\/\.\.\d{4}_.*\/key$/);
});

t.test('a subPath cannot leave its volume, not even by a link', async (t) => {
  await symlink('/etc', join(root, 'escape'));
  for (const subPath of ['../x', 'a/../../x', '/etc', 'escape', 'escape/passwd'])
    await t.rejects(mounts({ name: 'v', mountPath: '/a', subPath }), ContainerConfigError, subPath);
});

t.test('a volume that the pod does not have', async (t) => {
  await t.rejects(mounts({ name: 'none', mountPath: '/a' }), {
    message: 'cannot find volume "none" to mount into container "c"',
  });
});
