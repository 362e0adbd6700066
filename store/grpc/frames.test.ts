import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { FrameReader, frameHeaderSize, sealFrame } from './frames.ts';
import { Code, encodeMessage, GrpcError, parseTimeout } from './status.ts';

const frame = (message: Uint8Array) =>
  Buffer.concat(sealFrame([Buffer.alloc(frameHeaderSize), Buffer.from(message)]));

t.test('messages are read whole, however the bytes are cut', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 50 })),
      fc.array(fc.integer({ min: 1, max: 9 })),
      (messages, cuts) => {
        const bytes = Buffer.concat(messages.map(frame));
        const reader = new FrameReader(1000, undefined);
        const read: Buffer[] = [];
        let at = 0;
        for (let i = 0; at < bytes.length; i++) {
          const size = cuts[i % Math.max(1, cuts.length)] ?? 3;
          reader.push(bytes.subarray(at, at + size), (message) => read.push(Buffer.from(message)));
          at += size;
        }
        t.same(
          read,
          messages.map((message) => Buffer.from(message)),
        );
        t.ok(reader.whole);
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});

t.test('a message above the limit is refused in grpc-go’s words', (t) => {
  const reader = new FrameReader(10, undefined);
  t.throws(() => reader.push(frame(Buffer.alloc(11)), () => undefined), {
    code: Code.resourceExhausted,
    message: 'grpc: received message larger than max (11 vs. 10)',
  });
  t.end();
});

t.test('gzip is understood, other encodings and bombs are refused', (t) => {
  const packed = frame(gzipSync(Buffer.alloc(1000, 1)));
  packed[0] = 1;
  const read: Buffer[] = [];
  new FrameReader(2000, 'gzip').push(packed, (message) => read.push(message));
  t.same(read, [Buffer.alloc(1000, 1)]);
  t.throws(() => new FrameReader(999, 'gzip').push(packed, () => undefined), {
    code: Code.resourceExhausted,
  });
  t.throws(() => new FrameReader(2000, 'zstd').push(packed, () => undefined), { code: Code.unimplemented });
  const broken = frame(Buffer.from('no gzip'));
  broken[0] = 1;
  t.throws(() => new FrameReader(2000, 'gzip').push(broken, () => undefined), GrpcError);
  t.end();
});

t.test('grpc-message is percent-encoded', (t) => {
  t.equal(encodeMessage('plain text: ok'), 'plain text: ok');
  t.equal(encodeMessage('50 % of ü\n'), '50 %25 of %C3%BC%0A');
  t.end();
});

const timeouts: [string, number | undefined][] = [
  ['5S', 5000],
  ['100m', 100],
  ['2M', 120_000],
  ['1H', 3_600_000],
  ['1000u', 1],
  ['123456789S', undefined],
  ['5', undefined],
  ['', undefined],
];
for (const [text, expected] of timeouts)
  t.test(`grpc-timeout ${JSON.stringify(text)} is ${expected} ms`, (t) => {
    t.equal(parseTimeout(text), expected);
    t.end();
  });
