import t from 'tap';
import { LogDecoder } from './log-lines.ts';

const stamp = '2026-01-02T03:04:05.000000001Z ';
function entry(channel: number, text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = channel;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}
const decode = (decoder: LogDecoder, ...chunks: Buffer[]) =>
  Buffer.concat(chunks.flatMap((chunk) => [...decoder.push(chunk)])).toString();

t.test('frames cut anywhere give the same text', async (t) => {
  const whole = Buffer.concat([entry(1, 'one\n'), entry(2, 'two\n'), entry(1, ''), entry(1, 'é\n')]);
  for (let cut = 0; cut <= whole.length; cut++) {
    const decoder = new LogDecoder({ framed: true, timestamps: false, stream: 'All' });
    t.equal(decode(decoder, whole.subarray(0, cut), whole.subarray(cut)), 'one\ntwo\né\n', `cut at ${cut}`);
  }
});

t.test('a line in several entries has one timestamp, on each channel apart', async (t) => {
  const decoder = new LogDecoder({ framed: true, timestamps: true, stream: 'All' });
  const chunks = [
    entry(1, `${stamp}a`),
    entry(2, `${stamp}error\n`),
    entry(1, `${stamp}b\n`),
    entry(1, `${stamp}c\n`),
  ];
  t.equal(decode(decoder, ...chunks), `${stamp}a${stamp}error\nb\n${stamp}c\n`);
});

t.test('one of the two outputs can be had alone; a terminal is passed on as it is', async (t) => {
  const both = Buffer.concat([entry(1, 'out\n'), entry(2, 'err\n')]);
  t.equal(decode(new LogDecoder({ framed: true, timestamps: false, stream: 'Stdout' }), both), 'out\n');
  t.equal(decode(new LogDecoder({ framed: true, timestamps: false, stream: 'Stderr' }), both), 'err\n');
  t.equal(
    decode(new LogDecoder({ framed: false, timestamps: true, stream: 'All' }), Buffer.from('raw')),
    'raw',
  );
});
