import t from 'tap';
import { random } from '../lib/random.ts';
import { planLife, valueSize } from './store-disturbance.ts';
import { largestValue, pack, unpack } from './store-values.ts';

t.test('a packed value has its size and gives its name back', (t) => {
  for (const size of [0, 1, 1000, largestValue]) {
    const value = pack('3-17', size);
    t.ok(value.length >= size && value.length < size + 20);
    t.equal(unpack(value), '3-17');
  }
  t.end();
});

t.test('a value that was torn, cut off or mixed with another has no name', (t) => {
  const value = pack('3-17', 5000);
  const flipped = Buffer.from(value);
  flipped[4000]! ^= 1;
  t.match(unpack(flipped), 'damaged');
  t.match(unpack(value.subarray(0, 4096)), 'damaged');
  t.match(unpack(Buffer.concat([value.subarray(0, 4096), pack('3-18', 5000).subarray(4096)])), 'damaged');
  t.end();
});

t.test('within twenty lives every fault point has its turn, and values of every size', (t) => {
  const next = random(1);
  const lives = Array.from({ length: 20 }, (_, round) => planLife(round, next));
  t.same([...new Set(lives.map(({ fault }) => fault?.point ?? 'none'))].sort(), [
    'after-checkpoint',
    'after-commit',
    'after-publish',
    'before-apply',
    'before-commit',
    'before-compaction',
    'during-apply',
    'during-commit',
    'during-compaction',
    'during-snapshot',
    'none',
  ]);
  t.ok(lives.every(({ fault, snapshot }) => snapshot || fault?.point !== 'during-snapshot'));
  const sizes = lives.flatMap((life) => Array.from({ length: 50 }, () => valueSize(life.sizes, next)));
  t.equal(Math.min(...sizes), 0);
  t.ok(Math.max(...sizes) > largestValue * 0.9 && Math.max(...sizes) <= largestValue);
  t.end();
});
