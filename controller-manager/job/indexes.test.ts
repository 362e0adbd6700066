import t from 'tap';
import { aPod } from '../testing/objects.ts';
import { firstFree, formatIndexes, indexAnnotation, indexOf, parseIndexes } from './indexes.ts';

t.test('indexes are stored as ranges', async (t) => {
  const cases: [number[], string][] = [
    [[], ''],
    [[4], '4'],
    [[1, 2], '1,2'],
    [[0, 1, 2, 3], '0-3'],
    [[7, 1, 3, 5, 4], '1,3-5,7'],
  ];
  for (const [indexes, text] of cases) {
    t.equal(formatIndexes(new Set(indexes)), text);
    t.same([...parseIndexes(text, 10)].sort(), [...indexes].sort());
  }
});

t.test('indexes beyond the completions and malformed parts are left out', async (t) => {
  t.same([...parseIndexes('1,3-9,x,12', 5)], [1, 3, 4]);
  t.same([...parseIndexes(undefined, 5)], []);
});

t.test("a pod's index is what its annotation says, if the job has it", async (t) => {
  const pod = (value: string) => aPod('p', { annotations: { [indexAnnotation]: value } });
  t.equal(indexOf(pod('2'), 3), 2);
  t.equal(indexOf(pod('3'), 3), undefined);
  t.equal(indexOf(pod('-1'), 3), undefined);
  t.equal(indexOf(aPod('p'), 3), undefined);
});

t.test('the lowest free indexes come first', async (t) => {
  t.same(firstFree(2, 5, new Set([0, 2])), [1, 3]);
  t.same(firstFree(9, 3, new Set()), [0, 1, 2]);
});
