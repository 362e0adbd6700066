import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { BoltError } from './format.ts';
import { BoltReader } from './reader.ts';
import { BoltWriter } from './writer.ts';

const directory = mkdtempSync(join(tmpdir(), 'store-bolt-'));
t.teardown(() => rmSync(directory, { recursive: true, force: true }));
const path = join(directory, 'file.db');

t.test('what is written is read', (t) => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.nat(2000), { maxKeys: 4 }),
      fc.array(fc.nat(9000), { minLength: 1 }),
      (buckets, sizes) => {
        const entries = Object.entries(buckets)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, count]) => ({
            name,
            items: Array.from({ length: count }, (_, i) => ({
              key: Buffer.from(String(i).padStart(6, '0')),
              value: Buffer.alloc(count > 100 ? 10 : sizes[i % sizes.length]!, i),
            })),
          }));
        const writer = new BoltWriter(path);
        for (const { name, items } of entries) {
          for (const { key, value } of items) writer.put(key, value);
          writer.endBucket(name);
        }
        writer.finish();
        const reader = new BoltReader(path);
        const names = [...reader.buckets()];
        const same = entries.every(({ name, items }) => {
          const read = [...reader.entries(name)];
          return (
            read.length === items.length &&
            read.every(({ key, value }, i) => key.equals(items[i]!.key) && value.equals(items[i]!.value))
          );
        });
        reader.close();
        return same && names.join() === entries.map(({ name }) => name).join();
      },
    ),
    { numRuns: 20 },
  );
  t.end();
});

t.test('a file that is something else, or cut off, is a BoltError', (t) => {
  writeFileSync(path, Buffer.alloc(9000, 1));
  t.throws(() => new BoltReader(path), BoltError);
  const writer = new BoltWriter(path);
  for (let i = 0; i < 1000; i++) writer.put(Buffer.from(String(i).padStart(6, '0')), Buffer.alloc(50));
  writer.endBucket('key');
  writer.finish();
  writeFileSync(path, readFileSync(path).subarray(0, 20_000));
  t.throws(() => {
    const reader = new BoltReader(path);
    try {
      return [...reader.entries('key')];
    } finally {
      reader.close();
    }
  }, BoltError);
  t.end();
});
