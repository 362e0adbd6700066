import { quote } from '../field-error.ts';
import { DecodeError } from './decode-error.ts';

const layout = '2006-01-02T15:04:05Z07:00';
const canonical = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;
const rfc3339 =
  /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9})\d*)?(?:Z|([+-])(\d{2}):(\d{2}))$/;

/** The parts of a layout and what each looks like, for saying which one a text fails at. */
const parts: readonly [string, RegExp][] = [
  ['2006', /^\d{4}/],
  ['-', /^-/],
  ['01', /^\d{2}/],
  ['-', /^-/],
  ['02', /^\d{2}/],
  ['T', /^T/],
  ['15', /^\d{1,2}/],
  [':', /^:/],
  ['04', /^\d{2}/],
  [':', /^:/],
  ['05', /^\d{2}(?:[.,]\d+)?/],
  ['Z07:00', /^(?:Z|[+-]\d{2}:\d{2})/],
];

function fail(text: string): never {
  let rest = text;
  for (const [name, pattern] of parts) {
    const match = pattern.exec(rest);
    if (!match)
      throw new DecodeError(
        `parsing time ${quote(text)} as ${quote(layout)}: cannot parse ${quote(rest)} as ${quote(name)}`,
      );
    rest = rest.slice(match[0].length);
  }
  if (rest) throw new DecodeError(`parsing time ${quote(text)}: extra text: ${quote(rest)}`);
  throw new DecodeError(`parsing time ${quote(text)}: day out of range`);
}

/** Milliseconds since the epoch and the fraction of the second in digits. */
function parse(text: string): { milliseconds: number; fraction: string } {
  const match = rfc3339.exec(text);
  if (!match) return fail(text);
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (const [value, max, name] of [
    [hour, 23, 'hour'],
    [minute, 59, 'minute'],
    [second, 59, 'second'],
  ] as const)
    if (value > max) throw new DecodeError(`parsing time ${quote(text)}: ${name} out of range`);
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  if (date.getUTCDate() !== day || date.getUTCMonth() !== month - 1) return fail(text);
  const offset = match[8]
    ? (Number(match[9]) * 60 + Number(match[10])) * (match[8] === '-' ? -60_000 : 60_000)
    : 0;
  return { milliseconds: date.getTime() - offset, fraction: match[7] ?? '' };
}

/**
 * A time as Kubernetes writes it: UTC, whole seconds.
 * @throws {DecodeError} if it is not RFC 3339
 */
export function canonicalTime(text: string): string {
  if (canonical.test(text) && text.slice(8, 10) <= '28') return text;
  return `${new Date(parse(text).milliseconds).toISOString().slice(0, 19)}Z`;
}

/**
 * A time with microseconds as Kubernetes writes it: UTC, six digits.
 * @throws {DecodeError} if it is not RFC 3339
 */
export function canonicalMicroTime(text: string): string {
  const { milliseconds, fraction } = parse(text);
  return `${new Date(milliseconds).toISOString().slice(0, 19)}.${fraction.padEnd(6, '0').slice(0, 6)}Z`;
}
