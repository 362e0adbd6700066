import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LoopDisk } from './loop-disk.ts';
import { isMounted, runSystem } from './mounts.ts';
import { random } from './random.ts';

/** The disk must lose what a power cut loses, and nothing else: the tests of durability rest on it. */

const unavailable = LoopDisk.unavailable();
const possible = { skip: unavailable ?? false };
const never = () => 1;

/** Hands zeros to the disk, past the page cache, and does not flush. */
function writeUnflushed(path: string, bytes: number): void {
  runSystem('dd', ['if=/dev/zero', `of=${path}`, `bs=${bytes}`, 'count=1', 'oflag=direct', 'conv=notrunc']);
}

t.test('a power cut loses what was not synced and keeps what was', possible, (t) => {
  const disk = LoopDisk.create(32);
  t.teardown(() => disk.remove());
  const path = (name: string) => join(disk.directory, name);
  mkdirSync(path('folder'));
  writeFileSync(path('folder/synced'), 'kept', { flush: true });
  writeFileSync(path('unsynced'), 'lost');
  renameSync(path('folder/synced'), path('renamed'));
  disk.cut({ kept: 0, random: never });
  t.same(readdirSync(disk.directory).sort(), ['folder', 'lost+found']);
  t.equal(readFileSync(path('folder/synced'), 'utf8'), 'kept');
  disk.cut({ kept: 1, random: never });
  t.equal(readFileSync(path('folder/synced'), 'utf8'), 'kept', 'and again');
  t.end();
});

t.test('what the disk was given but not told to flush may be lost, kept, or kept in part', possible, (t) => {
  const disk = LoopDisk.create(32);
  t.teardown(() => disk.remove());
  const path = join(disk.directory, 'file');
  const size = 64 * 1024;
  const sectorsLeft = (kept: number, seed: number) => {
    writeFileSync(path, Buffer.alloc(size, 'a'), { flush: true });
    writeUnflushed(path, size);
    disk.cut({ kept, random: random(seed) });
    const bytes = readFileSync(path);
    t.equal(bytes.length, size);
    return Array.from({ length: size / 512 }, (_, at) => bytes[at * 512] === 97).filter(Boolean).length;
  };
  t.equal(sectorsLeft(0, 1), 128, 'all of it lost');
  t.equal(sectorsLeft(1, 1), 0, 'all of it kept');
  const some = sectorsLeft(0.5, 1);
  t.ok(some > 32 && some < 96, `${some} of 128 sectors are as before`);
  t.end();
});

t.test('nothing is left when it is removed', possible, (t) => {
  const disk = LoopDisk.create(32);
  const image = join(disk.directory, '..', 'image');
  t.ok(isMounted(disk.directory));
  t.match(runSystem('losetup', ['--all']), image);
  disk.cut({ kept: 1, random: never });
  disk.remove();
  t.notOk(isMounted(disk.directory));
  t.notMatch(runSystem('losetup', ['--all']), image);
  t.end();
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL'] as const)
  t.test(`nothing is left of a process that is ended by ${signal}`, possible, async (t) => {
    const program = `
      const { LoopDisk } = await import(${JSON.stringify(join(import.meta.dirname, 'loop-disk.ts'))});
      process.stdout.write(LoopDisk.create(32).directory);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [directory] = (await once(child.stdout, 'data')) as [Buffer];
    t.ok(isMounted(String(directory)));
    child.kill(signal);
    await once(child, 'exit');
    // A process that was killed cannot tidy up: the next disk does it.
    if (signal === 'SIGKILL') LoopDisk.create(16).remove();
    t.notOk(isMounted(String(directory)));
    t.notMatch(runSystem('losetup', ['--all']), String(directory));
  });
