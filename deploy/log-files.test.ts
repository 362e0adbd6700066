import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openLog, rotateLog } from './log-files.ts';

const limits = { bytes: 10, kept: 2 };

t.test('a log past its limit is turned over under its writer, and the oldest falls off', async (t) => {
  const path = join(t.testdir(), 'x.log');
  const file = openLog(path);
  for (const [text, turned] of [
    ['small', false],
    [' and first', true],
    ['second of many', true],
    ['third of many', true],
    ['end', false],
  ] as const) {
    writeSync(file, text);
    t.equal(rotateLog(path, limits), turned, text);
  }
  t.equal(readFileSync(path, 'utf8'), 'end');
  t.equal(readFileSync(`${path}.1`, 'utf8'), 'third of many');
  t.equal(readFileSync(`${path}.2`, 'utf8'), 'second of many');
  t.throws(() => readFileSync(`${path}.3`), { code: 'ENOENT' });
});

t.test('a log that does not exist yet is left alone', async (t) => {
  t.equal(rotateLog(join(t.testdir(), 'none.log'), limits), false);
});
