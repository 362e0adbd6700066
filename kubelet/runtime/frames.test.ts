import { Readable } from 'node:stream';
import t from 'tap';
import { demuxFrames, FrameDecoder } from './frames.ts';

const frame = (channel: number, text: string): Buffer => {
  const header = Buffer.alloc(8);
  header[0] = channel;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
};

const stream = Buffer.concat([frame(1, 'out'), frame(2, 'err'), frame(1, ''), frame(1, 'größer')]);

t.test('frames come apart the same wherever the stream is cut', async (t) => {
  for (let size = 1; size <= stream.length; size++) {
    const got = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
    const decoder = new FrameDecoder((channel, chunk) => {
      got[channel] = Buffer.concat([got[channel], chunk]);
    });
    for (let i = 0; i < stream.length; i += size) decoder.push(stream.subarray(i, i + size));
    t.same([String(got.stdout), String(got.stderr)], ['outgrößer', 'err'], `pieces of ${size}`);
  }
});

t.test('a whole stream', async (t) => {
  const seen: string[] = [];
  await demuxFrames(Readable.from([stream]), (channel, chunk) => seen.push(`${channel} ${chunk}`));
  t.same(seen, ['stdout out', 'stderr err', 'stdout größer']);
});
