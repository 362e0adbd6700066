import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { freePort } from './free-port.ts';
import { runProgram } from './program.ts';

t.test('a port is given out once, to whichever process asks, and can be listened on', async (t) => {
  // Half of all: two processes that draw without knowing of each other would draw some twice.
  const own = await Promise.all(Array.from({ length: 1_000 }, freePort));
  t.equal(new Set(own).size, own.length);
  const program = `
    const { freePort } = await import(${JSON.stringify(join(import.meta.dirname, 'free-port.ts'))});
    for (let i = 0; i < 300; i++) console.log(await freePort());`;
  const other = await runProgram(process.execPath, ['--input-type=module', '--eval', program]);
  const theirs = other.stdout.trim().split('\n').map(Number);
  t.equal(theirs.length, 300, other.stderr);
  t.same(
    theirs.filter((port) => own.includes(port)),
    [],
  );
  const server = createServer().listen(own[0], '127.0.0.1');
  await once(server, 'listening');
  server.close();
});
