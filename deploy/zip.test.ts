import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import t from 'tap';
import { extractFromZip } from './zip.ts';

/** An archive as zip tools write it, with one deflated and one stored file and a comment at its end. */
function archive(files: { name: string; content: Buffer; stored?: boolean }[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, stored } of files) {
    const data = stored ? content : deflateRawSync(content);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(stored ? 0 : 8, 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, Buffer.from(name), data]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    directory.push(
      Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, rest, Buffer.from(name)]),
    );
    parts.push(local);
    offset += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(7, 20);
  return Buffer.concat([...parts, entries, end, Buffer.from('comment')]);
}

const files = [
  { name: 'a/first', content: Buffer.from('first '.repeat(1000)) },
  { name: 'b/second', content: Buffer.from('second'), stored: true },
];

t.test('files come out as they went in, with the mode asked for', async (t) => {
  const folder = t.testdir();
  const path = join(folder, 'x.zip');
  writeFileSync(path, archive(files));
  for (const { name, content } of files) {
    const target = join(folder, 'out');
    extractFromZip(path, name, target, 0o755);
    t.same(readFileSync(target), content);
    t.equal(statSync(target).mode & 0o777, 0o755);
  }
});

t.test('a missing file, a cut archive and something else altogether are errors', async (t) => {
  const folder = t.testdir();
  const path = join(folder, 'x.zip');
  const whole = archive(files);
  writeFileSync(path, whole);
  t.throws(() => extractFromZip(path, 'c', join(folder, 'out'), 0o644), /c is not in/);
  writeFileSync(path, whole.subarray(0, 40));
  t.throws(() => extractFromZip(path, 'a/first', join(folder, 'out'), 0o644), /no central directory/);
  writeFileSync(path, 'no zip');
  t.throws(() => extractFromZip(path, 'a/first', join(folder, 'out'), 0o644), /zip:/);
});
