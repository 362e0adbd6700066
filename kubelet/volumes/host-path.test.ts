import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { prepareHostPath } from './host-path.ts';

t.test('a hostPath is what its type says', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'nkube-hostpath-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  const file = join(root, 'file');
  const directory = join(root, 'directory');
  await writeFile(file, '');
  await prepareHostPath({ path: directory, type: 'DirectoryOrCreate' });
  t.ok((await stat(directory)).isDirectory());
  await prepareHostPath({ path: join(root, 'made'), type: 'FileOrCreate' });
  t.ok((await stat(join(root, 'made'))).isFile());
  await prepareHostPath({ path: join(root, 'deep/er') });
  t.ok((await stat(join(root, 'deep/er'))).isDirectory());
  await prepareHostPath({ path: file, type: 'File' });
  await prepareHostPath({ path: '/dev/null', type: 'CharDevice' });
  const refused: [string, string, string][] = [
    [file, 'Directory', 'directory'],
    [directory, 'File', 'file'],
    [join(root, 'none'), 'Directory', 'directory'],
    [join(root, 'none'), 'File', 'file'],
    [join(root, 'none/none'), 'FileOrCreate', 'file'],
    [file, 'Socket', 'socket file'],
    [file, 'BlockDevice', 'block device'],
  ];
  for (const [path, type, what] of refused)
    await t.rejects(prepareHostPath({ path, type }), {
      message: `hostPath type check failed: ${path} is not a ${what}`,
    });
});
