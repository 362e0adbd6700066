import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';
import { acquireLock } from './lock.ts';

t.test('one holder at a time, and again after release', async (t) => {
  const name = `test:${process.pid}:one`;
  const held = await acquireLock(name);
  t.ok(held);
  t.equal(await acquireLock(name), undefined);
  await held!.release();
  const again = await acquireLock(name);
  t.ok(again);
  await again!.release();
});

t.test('the kernel frees the lock of a killed process', async (t) => {
  const name = `test:${process.pid}:killed`;
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { acquireLock } = await import(${JSON.stringify(join(import.meta.dirname, 'lock.ts'))});
       await acquireLock(${JSON.stringify(name)}); console.log('held'); setInterval(() => {}, 1000);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(child.stdout, 'data');
  t.equal(await acquireLock(name), undefined);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  const lock = await acquireLock(name);
  t.ok(lock);
  await lock!.release();
});
