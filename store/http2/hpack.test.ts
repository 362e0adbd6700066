import fc from 'fast-check';
import t from 'tap';
import { CompressionError, encodeHeaders, HpackDecoder } from './hpack.ts';

const decode = (...blocks: string[]) => {
  const decoder = new HpackDecoder(65_536);
  return blocks.map((block) => ({ ...decoder.decode(Buffer.from(block.replaceAll(' ', ''), 'hex')) }));
};

// RFC 7541, appendix C.3 and C.4: the same three requests, plain and Huffman-coded, with a dynamic table.
const first = { ':method': 'GET', ':scheme': 'http', ':path': '/', ':authority': 'www.example.com' };
const expected = [
  first,
  { ...first, 'cache-control': 'no-cache' },
  {
    ':method': 'GET',
    ':scheme': 'https',
    ':path': '/index.html',
    ':authority': 'www.example.com',
    'custom-key': 'custom-value',
  },
];

t.test('the requests of RFC 7541 C.3, plain', (t) => {
  t.same(
    decode(
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ),
    expected,
  );
  t.end();
});

t.test('the requests of RFC 7541 C.4, Huffman-coded', (t) => {
  t.same(
    decode(
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ),
    expected,
  );
  t.end();
});

t.test('what is encoded decodes to the same', (t) => {
  const value = fc.string({ unit: 'grapheme-ascii' });
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^:?[a-z-]{1,20}$/), value), (headers) => {
      const decoded = new HpackDecoder(1e6).decode(encodeHeaders(Object.entries(headers)));
      t.same({ ...decoded }, headers);
    }),
    { numRuns: 200 },
  );
  t.end();
});

const malformed: [string, string][] = [
  ['an index past the tables', 'ff ff ff 7f'],
  ['index 0', '80'],
  ['a string past the end', '40 05 61'],
  ['a block that ends in an integer', 'ff'],
  ['a table size above the limit', '3f ff ff 03'],
  ['Huffman padding of zeros', '40 81 00 01 61'],
];
for (const [what, block] of malformed)
  t.test(`${what} is a CompressionError`, (t) => {
    t.throws(() => decode(block), CompressionError);
    t.end();
  });

t.test('a list above the limit is a CompressionError', (t) => {
  t.throws(() => new HpackDecoder(100).decode(encodeHeaders([['x', 'y'.repeat(100)]])), CompressionError);
  t.end();
});

t.test('any bytes decode or are a CompressionError', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        new HpackDecoder(65_536).decode(Buffer.from(bytes));
      } catch (error) {
        if (!(error instanceof CompressionError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
  t.end();
});
