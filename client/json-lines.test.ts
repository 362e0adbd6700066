import fc from 'fast-check';
import t from 'tap';
import { readWatchLines } from './json-lines.ts';

async function* chunked(bytes: Buffer, sizes: number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

t.test('events come out whole and in order however the stream is cut', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
      async (names, sizes) => {
        const lines = names.map((name) => JSON.stringify({ type: 'ADDED', object: { metadata: { name } } }));
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const read: unknown[] = [];
        for await (const events of readWatchLines(chunked(bytes, sizes)))
          for (const event of events)
            read.push(event.type === 'ERROR' ? undefined : event.object.metadata?.name);
        return JSON.stringify(read) === JSON.stringify(names);
      },
    ),
  );
  t.pass('200 random cuts');
});

t.test('a line that is not JSON is an error, not an event', async (t) => {
  const read = async () => {
    for await (const _ of readWatchLines(chunked(Buffer.from('{"type":\n'), [100])));
  };
  await t.rejects(read(), SyntaxError);
});
