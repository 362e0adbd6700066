import { crc32 } from 'node:zlib';
import { WireReader } from '../../api/etcd/wire.ts';

/**
 * The records in LevelDB:
 *
 * - `r` revision(8) sub(4) → crc(4) KeyValue: one change. A tombstone is a KeyValue with only a key, as in etcd.
 * - `l` id(8) → crc(4) Lease
 * - `r` revision(8) ffffffff → crc(4) head: revision, compaction and the count and sum of all records above. Every
 *   batch has its own, and the last counts: as history only grows at its end, LevelDB's files then cover one stretch
 *   of history each and need not be merged. With a head at a fixed key every merge would rewrite all.
 * - `m` → crc(4) member: identity and alarms
 *
 * Every checksum covers its key too, so a record in the wrong place is seen. The head's count and sum make a
 * record that is missing altogether seen.
 */
export const prefix = { revision: 0x72, lease: 0x6c, member: 0x6d } as const;

export const memberKey = Buffer.from([prefix.member]);
export const crcSize = 4;

/** Where a change is: its revision and its place within it. */
export interface Location {
  revision: number;
  sub: number;
}

/** A record that is not what was written. */
export class DamageError extends Error {
  override name = 'DamageError';
}

export function revisionKey(revision: number, sub: number): Buffer {
  const key = Buffer.allocUnsafe(13);
  key[0] = prefix.revision;
  key.writeUInt32BE(Math.floor(revision / 2 ** 32), 1);
  key.writeUInt32BE(revision % 2 ** 32, 5);
  key.writeUInt32BE(sub, 9);
  return key;
}

const headSub = 0xffff_ffff;

/** The key of the head of a history that ends at a revision: after its last change. */
export function headKey(revision: number): Buffer {
  return revisionKey(revision, headSub);
}

export function isHeadKey(key: Buffer): boolean {
  return key[0] === prefix.revision && key.readUInt32BE(9) === headSub;
}

export function parseRevisionKey(key: Buffer): Location {
  return { revision: key.readUInt32BE(1) * 2 ** 32 + key.readUInt32BE(5), sub: key.readUInt32BE(9) };
}

export function leaseKey(id: bigint): Buffer {
  const key = Buffer.allocUnsafe(9);
  key[0] = prefix.lease;
  key.writeBigInt64BE(id, 1);
  return key;
}

function checksum(key: Buffer, body: Uint8Array): number {
  return crc32(body, crc32(key));
}

/** Puts room for its checksum in front of a body. */
export function recordOf(body: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(crcSize + body.length);
  record.set(body, crcSize);
  return record;
}

/** Fills in the checksum of a stored value, whose body is behind it, and returns it. */
export function seal(key: Buffer, value: Buffer): number {
  const crc = checksum(key, value.subarray(crcSize));
  value.writeUInt32BE(crc, 0);
  return crc;
}

export function storedChecksum(value: Buffer): number {
  return value.length >= crcSize ? value.readUInt32BE(0) : -1;
}

/** A stored value's body; undefined when it is not what {@link seal} left. */
export function bodyOf(key: Buffer, value: Buffer): Buffer | undefined {
  const body = value.subarray(crcSize);
  return storedChecksum(value) === checksum(key, body) ? body : undefined;
}

/**
 * A stored value's body.
 * @throws {DamageError} naming the record.
 */
export function unseal(key: Buffer, value: Buffer): Buffer {
  const body = bodyOf(key, value);
  if (!body) throw new DamageError(`record ${describeKey(key)} is damaged: its checksum does not match`);
  return body;
}

export function describeKey(key: Buffer): string {
  if (key[0] === prefix.revision && key.length === 13) {
    const { revision, sub } = parseRevisionKey(key);
    if (sub === headSub) return `of the head at revision ${revision}`;
    return `of revision ${revision}.${sub}`;
  }
  return `0x${key.toString('hex')}`;
}

/** What the index needs of a KeyValue; `version` 0 is a tombstone. */
export interface Summary {
  key: string;
  createRevision: number;
  version: number;
  lease: bigint;
}

/**
 * Reads a KeyValue without its value. Keys are strings of one character a byte: they sort as bytes do.
 * Opening the store does this for every record, so it does not go through the general decoder.
 */
export function summarize(raw: Buffer): Summary {
  const summary: Summary = { key: '', createRevision: 0, version: 0, lease: 0n };
  const reader = new WireReader(raw);
  while (reader.position < reader.end) {
    switch (reader.uint32()) {
      case tag.key: {
        const end = reader.fieldEnd();
        summary.key = raw.toString('latin1', reader.position, end);
        reader.position = end;
        break;
      }
      case tag.createRevision:
        summary.createRevision = reader.int64();
        break;
      case tag.version:
        summary.version = reader.int64();
        break;
      case tag.modRevision:
        reader.int64();
        break;
      case tag.lease:
        summary.lease = BigInt.asIntN(64, reader.uint64());
        break;
      default:
        // Only the value is left.
        reader.position = reader.fieldEnd();
    }
  }
  return summary;
}

/** First bytes of a KeyValue's fields: number and wire type. */
const tag = { key: 0x0a, createRevision: 0x10, modRevision: 0x18, version: 0x20, lease: 0x30 } as const;
