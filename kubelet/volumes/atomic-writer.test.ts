import { lstat, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type Projection, writeAtomically } from './atomic-writer.ts';

const files = (entries: Record<string, [string, number?]>): Projection =>
  new Map(
    Object.entries(entries).map(([path, [text, mode]]) => [
      path,
      { data: Buffer.from(text), mode: mode ?? 0o644 },
    ]),
  );

async function directory(t: { teardown(work: () => unknown): void }): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'nkube-volume-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

t.test('files appear through ..data, with their modes and folders', async (t) => {
  const path = await directory(t);
  t.ok(await writeAtomically(path, files({ a: ['1'], 'd/e/f': ['2', 0o400] })));
  t.equal(await readFile(join(path, 'a'), 'utf8'), '1');
  t.equal(await readFile(join(path, 'd/e/f'), 'utf8'), '2');
  t.equal((await stat(join(path, 'd/e/f'))).mode & 0o777, 0o400);
  t.equal(await readlink(join(path, 'a')), '..data/a');
  t.equal(await readlink(join(path, 'd')), '..data/d');
  t.match(await readlink(join(path, '..data')), /^\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\./);
});

t.test('the same files are not written again', async (t) => {
  const path = await directory(t);
  await writeAtomically(path, files({ a: ['1'] }));
  const before = await readlink(join(path, '..data'));
  t.notOk(await writeAtomically(path, files({ a: ['1'] })));
  t.equal(await readlink(join(path, '..data')), before);
});

t.test('changed content or modes, new and removed files replace the set', async (t) => {
  const path = await directory(t);
  await writeAtomically(path, files({ a: ['1'], b: ['2'], 'd/x': ['3'] }));
  t.ok(await writeAtomically(path, files({ a: ['1', 0o600], c: ['4'] })));
  t.same((await readdir(path)).filter((name) => !name.startsWith('..')).sort(), ['a', 'c']);
  t.equal((await readdir(path)).length, 4, 'the old data is gone: a, c, ..data and its folder');
  t.equal((await stat(join(path, 'a'))).mode & 0o777, 0o600);
});

t.test('what a cut-off write left behind is cleared away', async (t) => {
  const path = await directory(t);
  await writeAtomically(path, files({ a: ['1'] }));
  // As if killed after the folder was written and the new link made, before the rename.
  await symlink('..half', join(path, '..data_tmp'));
  await rm(join(path, 'a'));
  await writeFile(join(path, 'a'), 'not a link');
  await writeAtomically(path, files({ a: ['2'] }));
  t.equal(await readFile(join(path, 'a'), 'utf8'), '2');
  t.ok((await lstat(join(path, 'a'))).isSymbolicLink());
  t.notOk((await readdir(path)).includes('..data_tmp'));
});

t.test('a reader never sees a mix of two sets', async (t) => {
  const path = await directory(t);
  await writeAtomically(path, files({ a: ['0'], b: ['0'] }));
  let writing = true;
  const reader = (async () => {
    let reads = 0;
    while (writing || reads === 0) {
      // One look at ..data decides which set is read, as for a program that opens the folder.
      const data = join(path, await readlink(join(path, '..data')));
      try {
        const [a, b] = [await readFile(join(data, 'a'), 'utf8'), await readFile(join(data, 'b'), 'utf8')];
        if (a !== b) return `${a} beside ${b}`;
        reads++;
      } catch (error) {
        // The set was replaced while it was read.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    return 'whole';
  })();
  for (let i = 1; i <= 50; i++) await writeAtomically(path, files({ a: [String(i)], b: [String(i)] }));
  writing = false;
  t.equal(await reader, 'whole');
});
