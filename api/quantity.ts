/**
 * Amounts of a resource, such as `100m` or `1.5Gi`.
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */

/** How an amount is written: `k M G`, `Ki Mi Gi` or `1e3`. */
export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

/** An exact amount, in billionths (the finest that Kubernetes keeps), and how it was written. */
export interface Quantity {
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

/** The text is not a quantity. The message is Kubernetes' own. */
export class QuantityError extends Error {
  override name = 'QuantityError';
}

const wrongFormat =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const wrongSuffix = "unable to parse quantity's suffix";
const wrongNumber = 'unable to parse numeric part of quantity';

const giga = 1_000_000_000n;
const decimalPower: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const binaryPower: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };
const decimalSuffixes = Object.entries(decimalPower).sort((a, b) => b[1] - a[1]);
const binarySuffixes = Object.entries(binaryPower).sort((a, b) => b[1] - a[1]);
/** The largest amount that Kubernetes keeps; larger ones are capped to it. */
const maxNano = (2n ** 63n - 1n) * giga;

const ceilDivide = (value: bigint, divisor: bigint): bigint => {
  const quotient = value / divisor;
  const rest = value % divisor;
  return rest === 0n ? quotient : value > 0n ? quotient + 1n : quotient - 1n;
};

/**
 * Reads a quantity; anything finer than a billionth is rounded away from zero.
 * @throws {QuantityError} if it is not one
 */
export function parseQuantity(text: string | number): Quantity {
  const source = String(text);
  const match = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/.exec(source);
  if (!match) throw new QuantityError(wrongFormat);
  const [, sign, whole = '', fraction = '', suffix = ''] = match;
  if (!whole && !fraction)
    throw new QuantityError(source === '' || /^[+-]?$/.test(source) ? wrongFormat : wrongNumber);
  const digits = BigInt(whole + fraction);
  let format: QuantityFormat = 'DecimalSI';
  let nano: bigint;
  const scaled = (power: number): bigint =>
    power >= 0
      ? digits * 10n ** BigInt(Math.min(power, 200))
      : ceilDivide(digits, 10n ** BigInt(Math.min(-power, 400)));
  const binary = binaryPower[suffix];
  const decimal = decimalPower[suffix];
  if (binary !== undefined) {
    format = 'BinarySI';
    nano = ceilDivide(digits * 2n ** BigInt(binary) * giga, 10n ** BigInt(fraction.length));
  } else if (decimal !== undefined) nano = scaled(decimal + 9 - fraction.length);
  else {
    const exponent = /^[eE]([-+]?\d+)$/.exec(suffix);
    if (!exponent) throw new QuantityError(wrongSuffix);
    format = 'DecimalExponent';
    nano = scaled(Number(exponent[1]) + 9 - fraction.length);
  }
  if (nano > maxNano) nano = maxNano;
  return { nano: sign === '-' ? -nano : nano, format };
}

function decimalText(nano: bigint, suffixOf: (power: number, suffix: string) => string): string {
  for (const [suffix, power] of decimalSuffixes) {
    const unit = 10n ** BigInt(power + 9);
    if (nano % unit === 0n) return `${nano / unit}${suffixOf(power, suffix)}`;
  }
  return `${nano}n`;
}

/**
 * The canonical text: no fraction, the largest suffix that keeps it exact. A binary amount below 1024 is
 * written as a decimal one, and a larger one is rounded up to whole units, as Kubernetes does.
 */
export function formatQuantity(quantity: Quantity): string {
  const { nano, format } = quantity;
  if (nano === 0n) return '0';
  if (format === 'BinarySI' && (nano >= 1024n * giga || nano <= -1024n * giga)) {
    const amount = ceilDivide(nano, giga);
    for (const [suffix, power] of binarySuffixes)
      if (amount % 2n ** BigInt(power) === 0n) return `${amount / 2n ** BigInt(power)}${suffix}`;
    return String(amount);
  }
  return format === 'DecimalExponent'
    ? decimalText(nano, (power) => (power === 0 ? '' : `e${power}`))
    : decimalText(nano, (_power, suffix) => suffix);
}

const canonicalPattern = /^(?:0|[1-9]\d{0,2}(?:m|k|M|G|T|Ki|Mi|Gi|Ti)?)$/;

/**
 * The canonical text of a quantity (`0.5` → `500m`, `1024Mi` → `1Gi`).
 * @throws {QuantityError}
 */
export function canonicalQuantity(text: string | number): string {
  // Three digits without a fraction are canonical whatever the suffix: 1000 is the first that is not.
  if (typeof text === 'string' && canonicalPattern.test(text)) return text;
  return formatQuantity(parseQuantity(text));
}

/** Whether the text is a quantity. */
export function isQuantity(text: string | number): boolean {
  try {
    parseQuantity(text);
    return true;
  } catch {
    return false;
  }
}

const numeric = /^(\d{1,12})(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/;
const multiple: Readonly<Record<string, number>> = {
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Thousandths of the usual amounts, if they fit exactly into a number: the way without BigInt for the hot paths. */
function exactMilli(text: string | number): number | undefined {
  const match = typeof text === 'string' ? numeric.exec(text) : null;
  if (!match) return undefined;
  const milli =
    match[2] === 'm' ? Number(match[1]) : Number(match[1]) * (match[2] ? multiple[match[2]]! : 1) * 1000;
  return milli <= Number.MAX_SAFE_INTEGER ? milli : undefined;
}

/** Negative, zero or positive, as `a - b`. @throws {QuantityError} */
export function compareQuantities(a: string | number, b: string | number): number {
  const [left, right] = [exactMilli(a), exactMilli(b)];
  if (left !== undefined && right !== undefined) return left - right;
  const difference = parseQuantity(a).nano - parseQuantity(b).nano;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** Whether the amount is below zero. @throws {QuantityError} */
export const isNegative = (text: string | number): boolean =>
  exactMilli(text) === undefined && parseQuantity(text).nano < 0n;

/** Whether the amount has no fraction. @throws {QuantityError} */
export function isWhole(text: string | number): boolean {
  const milli = exactMilli(text);
  return milli === undefined ? parseQuantity(text).nano % giga === 0n : milli % 1000 === 0;
}

/**
 * The amount in whole units (bytes of memory, a count), rounded up; 0 if absent.
 * @throws {QuantityError}
 */
export function bytes(text: string | number | undefined): number {
  if (text === undefined) return 0;
  const match = typeof text === 'string' ? numeric.exec(text) : null;
  if (match && match[2] !== 'm') return Number(match[1]) * (match[2] ? multiple[match[2]]! : 1);
  return Number(ceilDivide(parseQuantity(text).nano, giga));
}

/**
 * The amount in thousandths (thousandths of a CPU), rounded up; 0 if absent.
 * @throws {QuantityError}
 */
export function milliCPU(text: string | number | undefined): number {
  if (text === undefined) return 0;
  const match = typeof text === 'string' ? numeric.exec(text) : null;
  if (match)
    return match[2] === 'm'
      ? Number(match[1])
      : Number(match[1]) * 1000 * (match[2] ? multiple[match[2]]! : 1);
  return Number(ceilDivide(parseQuantity(text).nano, 1_000_000n));
}
