/**
 * Length in bits of the code of each byte: RFC 7541, appendix B. The code is canonical, so the lengths say all:
 * codes of one length follow each other in the order of the bytes, and shorter ones come first.
 */
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];
const endOfString = 256;
const longest = 30;

/** Symbols in the order of their codes, and per length the first code and where its symbols start. */
const symbols: number[] = [];
const firstCode: number[] = [];
const firstSymbol: number[] = [];
const countOf: number[] = [];
for (let length = 0, code = 0; length <= longest; length++) {
  code *= 2;
  firstCode[length] = code;
  firstSymbol[length] = symbols.length;
  for (let byte = 0; byte < lengths.length; byte++) if (lengths[byte] === length) symbols.push(byte);
  if (length === longest) symbols.push(endOfString);
  countOf[length] = symbols.length - firstSymbol[length]!;
  code += countOf[length]!;
}

/**
 * Decodes a Huffman string to one character a byte.
 * @throws {RangeError} for a code that does not exist, padding that is not ones, or padding of a byte or more.
 */
export function decodeHuffman(bytes: Uint8Array): string {
  let result = '';
  let code = 0;
  let length = 0;
  for (const byte of bytes)
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      length++;
      const offset = code - firstCode[length]!;
      if (offset >= countOf[length]!) {
        if (length === longest) throw new RangeError('unknown Huffman code');
        continue;
      }
      const symbol = symbols[firstSymbol[length]! + offset]!;
      if (symbol === endOfString) throw new RangeError('end of string in a Huffman string');
      result += String.fromCharCode(symbol);
      code = 0;
      length = 0;
    }
  if (length > 7 || code !== 2 ** length - 1) throw new RangeError('bad padding of a Huffman string');
  return result;
}
