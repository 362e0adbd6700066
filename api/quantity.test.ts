import fc from 'fast-check';
import t from 'tap';
import {
  bytes,
  canonicalQuantity,
  compareQuantities,
  isNegative,
  isQuantity,
  isWhole,
  milliCPU,
  parseQuantity,
  QuantityError,
} from './quantity.ts';

const canonical: [text: string | number, canonical: string][] = [
  ['0', '0'],
  ['0.5', '500m'],
  ['1024Mi', '1Gi'],
  ['1000m', '1'],
  ['1.5Gi', '1536Mi'],
  ['100n', '100n'],
  ['1e3', '1e3'],
  ['1000k', '1M'],
  ['0.1Ki', '102400m'],
  ['1.0001Ki', '1025'],
  ['-1', '-1'],
  ['.5', '500m'],
  ['1.', '1'],
  ['+2', '2'],
  ['1024Ki', '1Mi'],
  ['2048', '2048'],
  ['0.0000000001', '1n'],
  ['12E', '9223372036854775807'],
  [1024, '1024'],
  [0.25, '250m'],
];

for (const [text, expected] of canonical)
  t.test(`the quantity ${text} is written ${expected}`, async (t) => {
    t.equal(canonicalQuantity(text), expected);
    t.equal(canonicalQuantity(expected), expected, 'and that is canonical');
  });

const malformed: [text: string, message: RegExp][] = [
  ['', /must match the regular expression/],
  ['abc', /must match the regular expression/],
  ['1.2.3', /must match the regular expression/],
  ['1 Gi', /must match the regular expression/],
  ['.', /unable to parse numeric part of quantity/],
  ['1mi', /unable to parse quantity's suffix/],
  ['1KiB', /must match the regular expression/],
];

for (const [text, message] of malformed)
  t.test(`${JSON.stringify(text)} is not a quantity`, async (t) => {
    t.throws(() => parseQuantity(text), { name: 'QuantityError', message });
    t.notOk(isQuantity(text));
  });

t.test('CPU is counted in thousandths and memory in bytes, rounded up', async (t) => {
  t.equal(milliCPU('500m'), 500);
  t.equal(milliCPU('2'), 2000);
  t.equal(milliCPU('0.1'), 100);
  t.equal(milliCPU('1u'), 1);
  t.equal(milliCPU(undefined), 0);
  t.equal(bytes('64Mi'), 64 * 2 ** 20);
  t.equal(bytes('1k'), 1000);
  t.equal(bytes('1500m'), 2);
  t.equal(bytes('1e3'), 1000);
  t.equal(bytes(undefined), 0);
});

t.test('quantities compare by amount, whatever their suffix', async (t) => {
  t.ok(compareQuantities('1Gi', '1G') > 0);
  t.equal(compareQuantities('1000m', '1'), 0);
  t.ok(compareQuantities('100m', '1') < 0);
  t.ok(compareQuantities('-1', '0') < 0);
  t.ok(compareQuantities('9000Ti', '1') > 0);
});

t.test('amounts tell whether they are negative and whole', async (t) => {
  t.ok(isNegative('-1m'));
  t.notOk(isNegative('0'));
  t.notOk(isNegative('1.5Gi'));
  t.ok(isWhole('2Gi'));
  t.ok(isWhole('1000m'));
  t.ok(isWhole('0.5k'));
  t.notOk(isWhole('1500m'));
  t.notOk(isWhole('0.1'));
});

t.test('the canonical text of a quantity stands for the same amount', async (t) => {
  const suffix = fc.constantFrom('', 'm', 'k', 'M', 'Ki', 'Mi', 'Gi', 'u', 'e2');
  const number = fc.tuple(
    fc.integer({ min: -5000, max: 5_000_000 }),
    fc.integer({ min: 0, max: 999 }),
    suffix,
  );
  fc.assert(
    fc.property(number, ([whole, fraction, unit]) => {
      const text = unit.endsWith('i') ? `${whole}${unit}` : `${whole}.${fraction}${unit}`;
      return compareQuantities(text, canonicalQuantity(text)) === 0;
    }),
  );
  t.ok(QuantityError);
});
