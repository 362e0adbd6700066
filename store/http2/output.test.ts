import fc from 'fast-check';
import t from 'tap';
import { FrameType, frameHeaderSize } from './frame.ts';
import { giveBack, Output } from './output.ts';

interface Frame {
  type: number;
  streamId: number;
  payload: Buffer;
}

/** The frames in what an {@link Output} handed out. */
function framesOf(pieces: readonly Buffer[]): Frame[] {
  const bytes = Buffer.concat(pieces);
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + frameHeaderSize + bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + frameHeaderSize, end);
    frames.push({ type: bytes[at + 3]!, streamId: bytes.readUInt32BE(at + 5), payload });
    at = end;
  }
  return frames;
}

/** What a peer makes of frames: everything in order, with no difference between one DATA frame and several. */
function heard(frames: readonly Frame[]): { what: string; payload: Buffer }[] {
  const list: { what: string; payload: Buffer }[] = [];
  for (const { type, streamId, payload } of frames) {
    const what = `${type} on ${streamId}`;
    const last = list.at(-1);
    if (last && type === FrameType.data && last.what === what)
      last.payload = Buffer.concat([last.payload, payload]);
    else list.push({ what, payload });
  }
  return list;
}

let filler = 0;
const filled = (size: number) => Buffer.alloc(size, ++filler);
const limit = 16_384;

t.test('what goes in comes out in order and whole, in frames within the limit', async (t) => {
  // Sizes up to those at which a payload is not copied, or does not fit into a chunk any more.
  const size = fc.oneof(fc.nat(300), fc.integer({ min: 8180, max: limit / 2 }), fc.nat(limit / 2));
  const step = fc.oneof(
    fc.record({ kind: fc.constant('frame' as const), streamId: fc.nat(2), size }),
    fc.record({
      kind: fc.constant('data' as const),
      streamId: fc.nat(2),
      sizes: fc.array(size, { minLength: 1, maxLength: 2 }),
    }),
    fc.constant({ kind: 'take' as const }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const output = new Output();
      const expected: Frame[] = [];
      const taken: Frame[] = [];
      const take = () => {
        const length = output.length;
        const { pieces, chunks } = output.take();
        t.equal(Buffer.concat(pieces).length, length);
        taken.push(...framesOf(pieces.map((piece) => Buffer.from(piece))));
        // As after a write: what is put in next is written over it.
        giveBack(chunks);
        t.equal(output.length, 0);
      };
      for (const each of steps)
        if (each.kind === 'take') take();
        else if (each.kind === 'frame') {
          const payload = filled(each.size);
          output.frame(FrameType.headers, 0, each.streamId, payload);
          expected.push({ type: FrameType.headers, streamId: each.streamId, payload });
        } else {
          const parts = each.sizes.map(filled);
          const payload = Buffer.concat(parts);
          output.data(each.streamId, parts, { size: payload.length, limit });
          expected.push({ type: FrameType.data, streamId: each.streamId, payload });
        }
      take();
      t.strictSame(heard(taken), heard(expected));
      t.ok(taken.every(({ type, payload }) => type !== FrameType.data || payload.length <= limit));
    }),
    { numRuns: 200 },
  );
});

t.test('small data of one stream share a frame until another comes between', async (t) => {
  const output = new Output();
  const data = (streamId: number) => output.data(streamId, [filled(10)], { size: 10, limit: 25 });
  data(1);
  data(1);
  data(1);
  data(3);
  data(1);
  output.frame(FrameType.headers, 0, 1, filled(3));
  data(1);
  t.same(
    framesOf(output.take().pieces).map(({ type, streamId, payload }) => [type, streamId, payload.length]),
    [
      [FrameType.data, 1, 20],
      [FrameType.data, 1, 10],
      [FrameType.data, 3, 10],
      [FrameType.data, 1, 10],
      [FrameType.headers, 1, 3],
      [FrameType.data, 1, 10],
    ],
  );
});

t.test('chunks are used again only when they were given back', async (t) => {
  const output = new Output();
  const gather = () => {
    output.frame(FrameType.ping, 0, 0, filled(8));
    return output.take().chunks;
  };
  const first = gather();
  const second = gather();
  t.not(second[0], first[0]);
  giveBack(first);
  t.equal(gather()[0], first[0]);
});
