import { DamageError, type Location } from '../mvcc/record.ts';

/** Revisions as etcd writes them: main(8) `_` sub(8), and a `t` behind for a tombstone. */
const underscore = 0x5f;
const tombstoneMark = 0x74;
const revisionSize = 17;

export const bucketNames = { key: 'key', lease: 'lease', meta: 'meta' } as const;
export const metaKeys = {
  consistentIndex: 'consistent_index',
  scheduledCompact: 'scheduledCompactRev',
  finishedCompact: 'finishedCompactRev',
} as const;

export function etcdKey({ revision, sub }: Location, tombstone: boolean): Buffer {
  const key = Buffer.alloc(tombstone ? revisionSize + 1 : revisionSize);
  key.writeBigUInt64BE(BigInt(revision), 0);
  key[8] = underscore;
  key.writeBigUInt64BE(BigInt(sub), 9);
  if (tombstone) key[revisionSize] = tombstoneMark;
  return key;
}

/** @throws {DamageError} */
export function parseEtcdKey(key: Buffer): Location & { tombstone: boolean } {
  const tombstone = key.length === revisionSize + 1 && key[revisionSize] === tombstoneMark;
  if ((key.length !== revisionSize && !tombstone) || key[8] !== underscore)
    throw new DamageError(`0x${key.toString('hex')} is not a revision`);
  return { revision: Number(key.readBigUInt64BE(0)), sub: Number(key.readBigUInt64BE(9)), tombstone };
}
