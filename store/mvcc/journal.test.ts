import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { Journal, readJournal } from './journal.ts';
import { type Operation, RecordKind, readRecord, recordSize, writeRecord } from './journal-record.ts';
import { crcSize, recordOf, seal } from './record.ts';

const root = mkdtempSync(join(tmpdir(), 'journal-test-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));
let directories = 0;
const fresh = () => join(root, String(directories++));

function sealed(key: Buffer, body: Uint8Array): Operation {
  const value = recordOf(body);
  seal(key, value);
  return { key, value };
}
const put = (key: string, body: string | Buffer) => sealed(Buffer.from(key), Buffer.from(body));
const head = put('head', 'state');

/** A journal in a new directory; `checkpoints` counts how often it asked for one. */
async function begin(directory: string, options: { next?: number; sequence?: number } = {}) {
  const asked = { checkpoints: 0 };
  const journal = await Journal.begin({
    directory,
    next: options.next ?? 0,
    sequence: options.sequence ?? 0,
    head,
    checkpoint: async () => {
      asked.checkpoints++;
    },
  });
  return { journal, asked };
}

/** What a journal holds, in short. */
async function held(directory: string): Promise<{ kinds: string; sequences: number[]; beyond: number }> {
  const { records, beyond } = await readJournal(directory);
  const kinds = records.map(({ kind }) => Object.keys(RecordKind)[kind]![0]).join('');
  return { kinds, sequences: records.map(({ sequence }) => sequence), beyond: beyond?.sequence ?? 0 };
}

t.test('a record reads back as it was written, and not at all when a bit of it is changed', async (t) => {
  const bytes = (constraints: fc.IntArrayConstraints) =>
    fc.uint8Array(constraints).map((array) => Buffer.from(array));
  const operation: fc.Arbitrary<Operation> = fc
    .tuple(bytes({ minLength: 1, maxLength: 20 }), fc.option(bytes({ maxLength: 300 }), { nil: undefined }))
    .map(([key, body]) => (body ? sealed(key, body) : { key, value: undefined }));
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 8 }),
      fc.maxSafeNat(),
      fc.nat(),
      (operations, sequence, bit) => {
        const buffer = Buffer.alloc(recordSize(operations), 0xff);
        writeRecord(buffer, { kind: RecordKind.group, sequence, operations });
        const read = readRecord(buffer, 0);
        t.equal(read?.end, buffer.length);
        t.strictSame(read?.record, { kind: RecordKind.group, sequence, operations });
        const used = 32 + buffer.readUInt32LE(8);
        buffer[(bit >> 3) % used]! ^= 1 << (bit & 7);
        t.equal(readRecord(buffer, 0), undefined);
      },
    ),
    { numRuns: 300 },
  );
});

t.test('what was appended is found again, in order', async (t) => {
  const directory = fresh();
  t.same(await held(directory), { kinds: '', sequences: [], beyond: 0 });
  const { journal } = await begin(directory);
  await journal.append(1, [put('a', '1')]);
  await journal.append(2, [put('b', '2'), { key: Buffer.from('a'), value: undefined }]);
  await journal.close();
  t.same(await held(directory), { kinds: 'cgg', sequences: [0, 1, 2], beyond: 0 });
  t.strictSame((await readJournal(directory)).records[2]!.operations, [
    put('b', '2'),
    { key: Buffer.from('a'), value: undefined },
  ]);
  t.equal(statSync(join(directory, '0')).mode & 0o777, 0o600);
});

t.test('after its end nothing older counts, and it can begin again over it', async (t) => {
  const directory = fresh();
  const { journal, asked } = await begin(directory);
  for (let i = 1; i <= 5; i++) await journal.append(i, [put('a', String(i))]);
  await journal.end(5, head);
  t.equal(asked.checkpoints, 1);
  t.same(await held(directory), { kinds: 'e', sequences: [5], beyond: 0 });
  const { next } = await readJournal(directory);
  const again = await begin(directory, { next, sequence: 5 });
  await again.journal.append(6, [put('a', '6')]);
  await again.journal.close();
  t.same(await held(directory), { kinds: 'cg', sequences: [5, 6], beyond: 0 });
});

t.test('segments take turns, each after a checkpoint of what it held', async (t) => {
  const directory = fresh();
  const { journal, asked } = await begin(directory);
  const value = Buffer.alloc(3 * 1024 * 1024, 7);
  let appended = 0;
  // Enough to use each segment more than once.
  while (asked.checkpoints < 3) await journal.append(++appended, [put('large', value)]);
  await journal.close();
  const { sequences, kinds, beyond } = await held(directory);
  t.equal(sequences.at(-1), appended, 'the newest is there');
  t.match(kinds, /^g+$/, 'the first checkpoint was written over');
  t.same(
    sequences,
    sequences.map((_, i) => sequences[0]! + i),
    'without a gap',
  );
  t.ok(sequences.length > 5, 'and not only the newest segment');
  t.equal(beyond, 0);
});

t.test('a record larger than a segment is kept too', async (t) => {
  const directory = fresh();
  const { journal } = await begin(directory);
  const value = Buffer.alloc(40 * 1024 * 1024, 5);
  await journal.append(1, [put('a', '1')]);
  await journal.append(2, [put('large', value)]);
  await journal.append(3, [put('b', '3')]);
  await journal.close();
  const { records } = await readJournal(directory);
  t.equal(records.at(-1)!.sequence, 3);
  t.ok(records.at(-2)!.operations[0]!.value!.subarray(crcSize).equals(value));
});

t.test('a write that was torn ends the journal; a damaged record in the middle is noticed', async (t) => {
  const directory = fresh();
  const { journal } = await begin(directory);
  for (let i = 1; i <= 3; i++) await journal.append(i, [put('key', `value ${i}`)]);
  await journal.close();
  const path = join(directory, '0');
  const whole = readFileSync(path);
  const at = (text: string) => whole.indexOf(text);
  const flip = (offset: number) => {
    const bytes = Buffer.from(whole);
    bytes[offset]! ^= 1;
    writeFileSync(path, bytes);
  };
  flip(at('value 3'));
  t.same(await held(directory), { kinds: 'cgg', sequences: [0, 1, 2], beyond: 0 });
  flip(at('value 2'));
  t.same(await held(directory), { kinds: 'cg', sequences: [0, 1], beyond: 3 });
  writeFileSync(path, whole);
  truncateSync(path, at('value 3') + 2);
  t.same(await held(directory), { kinds: 'cgg', sequences: [0, 1, 2], beyond: 0 });
});

t.test('a checkpoint that fails stops the journal at its next turn', async (t) => {
  const directory = fresh();
  const journal = await Journal.begin({
    directory,
    next: 0,
    sequence: 0,
    head,
    checkpoint: () => Promise.reject(new Error('disk full')),
  });
  const value = Buffer.alloc(8 * 1024 * 1024);
  await t.rejects(async () => {
    for (let i = 1; i < 100; i++) await journal.append(i, [put('a', value)]);
  }, /disk full/);
  await journal.close();
});
