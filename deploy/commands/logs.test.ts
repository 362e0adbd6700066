import t from 'tap';
import { tailOffset } from './logs.ts';

t.test('the last lines of a log, with and without a newline at its end', async (t) => {
  for (const [text, lines, rest] of [
    ['a\nb\nc\n', 2, 'b\nc\n'],
    ['a\nb\nc', 2, 'b\nc'],
    ['a\nb\n', 5, 'a\nb\n'],
    ['a\n', 1, 'a\n'],
    ['\n\n', 1, '\n'],
    ['', 3, ''],
    ['a\nb\n', 0, ''],
  ] as const) {
    const content = Buffer.from(text);
    t.equal(content.subarray(tailOffset(content, lines)).toString(), rest, JSON.stringify([text, lines]));
  }
});
