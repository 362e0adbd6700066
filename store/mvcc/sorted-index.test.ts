import fc from 'fast-check';
import t from 'tap';
import { KeyEntry } from './key-entry.ts';
import { SortedIndex } from './sorted-index.ts';

const name = fc.integer({ min: 0, max: 3000 }).map((n) => `k${n}`);

t.test('behaves as a sorted list, whatever is added and removed', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ add: fc.boolean(), key: name }), { maxLength: 3000, size: 'max' }),
      name,
      name,
      (steps, from, to) => {
        const index = new SortedIndex();
        const model = new Set<string>();
        for (const { add, key } of steps) {
          if (add) {
            const known = index.add(new KeyEntry(key, { revision: 1, sub: 0 }));
            if (known?.key !== (model.has(key) ? key : undefined)) return false;
            model.add(key);
          } else {
            index.remove(key);
            model.delete(key);
          }
        }
        const seen: string[] = [];
        index.visit(from, to, ({ key }) => {
          seen.push(key);
          return undefined;
        });
        const expected = [...model].filter((key) => key >= from && key < to).sort();
        return (
          index.size === model.size &&
          JSON.stringify(seen) === JSON.stringify(expected) &&
          [...model].every((key) => index.get(key)?.key === key) &&
          index.get('absent') === undefined
        );
      },
    ),
    { numRuns: 30 },
  );
  t.end();
});

t.test('a visit ends when told', (t) => {
  const index = new SortedIndex();
  for (let i = 0; i < 2000; i++) index.add(new KeyEntry(String(i).padStart(5, '0'), { revision: 1, sub: 0 }));
  let count = 0;
  index.visit('', undefined, () => ++count < 700);
  t.equal(count, 700);
  t.end();
});
