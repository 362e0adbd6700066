import { crc32 } from 'node:zlib';
import { bodyOf, storedChecksum } from './record.ts';

/** One write to LevelDB; a removal has no value, and a value begins with its checksum. */
export interface Operation {
  key: Buffer;
  value: Buffer | undefined;
}

/**
 * What a record is: a group of operations; or the note that LevelDB durably holds all groups up to its sequence; or
 * that note left by a store that stopped, so that nothing follows it. Notes hold the head alone.
 */
export const RecordKind = { group: 0, checkpoint: 1, end: 2 } as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

export interface JournalRecord {
  kind: RecordKind;
  /** Groups are numbered without gaps; a checkpoint or end has the number of the group before it. */
  sequence: number;
  operations: Operation[];
}

/*
 * A record is magic(4) crc(4) length(4) listLength(4) kind(4) 0(4) sequence(8), a list of `listLength` bytes, the
 * values, which with the list are `length` bytes, and zeros up to a multiple of 8. An entry of the list is key
 * length(4), value length(4), the value's checksum(4), key. The crc covers what is between it and the values: these
 * have checksums of their own, and are too long to go through twice.
 */
const magic = Buffer.from('4e4b4a32', 'hex');
const headerSize = 32;
const alignment = 8;
const entrySize = 12;
const removal = 0xffff_ffff;

const aligned = (size: number) => Math.ceil(size / alignment) * alignment;

/** Bytes that a record with these operations takes. */
export function recordSize(operations: readonly Operation[]): number {
  let size = headerSize;
  for (const { key, value } of operations) size += entrySize + key.length + (value?.length ?? 0);
  return aligned(size);
}

/** Writes a record to the start of a buffer of at least {@link recordSize} bytes. */
export function writeRecord(into: Buffer, { kind, sequence, operations }: JournalRecord): void {
  let at = headerSize;
  for (const { key, value } of operations) {
    into.writeUInt32LE(key.length, at);
    into.writeUInt32LE(value ? value.length : removal, at + 4);
    into.writeUInt32LE(value ? storedChecksum(value) : 0, at + 8);
    into.set(key, at + entrySize);
    at += entrySize + key.length;
  }
  const values = at;
  for (const { value } of operations) {
    if (!value) continue;
    into.set(value, at);
    at += value.length;
  }
  into.fill(0, at, aligned(at));
  into.set(magic, 0);
  into.writeUInt32LE(at - headerSize, 8);
  into.writeUInt32LE(values - headerSize, 12);
  into.writeUInt32LE(kind, 16);
  into.writeUInt32LE(0, 20);
  into.writeBigUInt64LE(BigInt(sequence), 24);
  into.writeUInt32LE(crc32(into.subarray(8, values)), 4);
}

/** The whole record at an offset and the offset after it; undefined when there is none. */
export function readRecord(from: Buffer, offset: number): { record: JournalRecord; end: number } | undefined {
  if (offset + headerSize > from.length || from.compare(magic, 0, 4, offset, offset + 4) !== 0)
    return undefined;
  const end = offset + headerSize + from.readUInt32LE(offset + 8);
  const values = offset + headerSize + from.readUInt32LE(offset + 12);
  if (values > end || end > from.length) return undefined;
  if (crc32(from.subarray(offset + 8, values)) !== from.readUInt32LE(offset + 4)) return undefined;
  const operations = readOperations(from, offset + headerSize, values);
  if (!operations) return undefined;
  const kind = from.readUInt32LE(offset + 16) as RecordKind;
  const sequence = Number(from.readBigUInt64LE(offset + 24));
  return { record: { kind, sequence, operations }, end: aligned(end) };
}

/** What a list and the values behind it say; undefined when a value is not the one that was written. */
function readOperations(from: Buffer, list: number, values: number): Operation[] | undefined {
  const operations: Operation[] = [];
  let valueAt = values;
  for (let at = list; at < values; ) {
    const keyEnd = at + entrySize + from.readUInt32LE(at);
    const length = from.readUInt32LE(at + 4);
    const key = from.subarray(at + entrySize, keyEnd);
    if (length === removal) operations.push({ key, value: undefined });
    else {
      const value = from.subarray(valueAt, valueAt + length);
      valueAt += length;
      if (storedChecksum(value) !== from.readUInt32LE(at + 8) || !bodyOf(key, value)) return undefined;
      operations.push({ key, value });
    }
    at = keyEnd;
  }
  return operations;
}

/**
 * The records from the start of a segment on. What an earlier use of the segment has left behind them has other
 * numbers.
 */
export function readRecords(segment: Buffer): { records: JournalRecord[]; end: number } {
  const records: JournalRecord[] = [];
  let end = 0;
  for (let next = readRecord(segment, 0); next; next = readRecord(segment, end)) {
    const previous = records.at(-1)?.sequence;
    const { kind, sequence } = next.record;
    if (previous !== undefined && sequence !== (kind === RecordKind.group ? previous + 1 : previous)) break;
    records.push(next.record);
    end = next.end;
  }
  return { records, end };
}

/** The whole record with the highest number from an offset on. */
export function latestRecord(segment: Buffer, offset: number): JournalRecord | undefined {
  let latest: JournalRecord | undefined;
  for (let at = segment.indexOf(magic, offset); at >= 0; at = segment.indexOf(magic, at + 1)) {
    const found = at % alignment === 0 ? readRecord(segment, at) : undefined;
    if (found && (!latest || found.record.sequence > latest.sequence)) latest = found.record;
  }
  return latest;
}
