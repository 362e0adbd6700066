import { random } from '../lib/random.ts';

/** Largest value, in bytes without its name. */
export const largestValue = 100 * 1024;

const filler = (() => {
  const next = random(20_261_123);
  return Buffer.from(Array.from({ length: 2 * largestValue }, () => Math.floor(next() * 256)));
})();

/** A value of `size` bytes more than its name needs, all of which follow from the name. */
export function pack(name: string, size: number): Buffer {
  if (size === 0) return Buffer.from(name);
  return Buffer.concat([Buffer.from(`${name}\n${size}\n`), fill(name, size)]);
}

/** The name of a packed value; for one that is not as it was packed, words that equal no name. */
export function unpack(value: Uint8Array): string {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const end = bytes.indexOf(10);
  if (end < 0) return bytes.toString();
  const name = bytes.toString('utf8', 0, end);
  const start = bytes.indexOf(10, end + 1) + 1;
  const size = Number(bytes.toString('utf8', end + 1, start - 1));
  if (start > 0 && size <= largestValue && bytes.subarray(start).equals(fill(name, size))) return name;
  return `damaged value of ${bytes.length} bytes, named ${name.slice(0, 40)}`;
}

function fill(name: string, size: number): Buffer {
  let offset = 0;
  for (const byte of Buffer.from(name)) offset = (offset * 31 + byte) % largestValue;
  return filler.subarray(offset, offset + size);
}
