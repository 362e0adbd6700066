import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { BoltError } from '../bolt/format.ts';
import { BoltReader } from '../bolt/reader.ts';
import { crc32c } from './crc32c.ts';
import { bucketNames, parseEtcdKey } from './etcd-keys.ts';

/** A snapshot file that must not be restored. */
export class SnapshotError extends Error {
  override name = 'SnapshotError';
}

const hashSize = 32;
const blockSize = 512;
const chunkSize = 1024 * 1024;

/**
 * Checks the SHA-256 at the end of a snapshot file.
 * @throws {SnapshotError} for a file that is cut off, changed, or has no hash (unless `allowMissing`: a database
 * copied from an etcd's data directory has none).
 */
export function verifySnapshot(path: string, allowMissing = false): void {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    if (size % blockSize !== hashSize) {
      if (allowMissing && size > 0 && size % blockSize === 0) return;
      throw new SnapshotError(`${path}: no hash at its end; the file is cut off or not a snapshot`);
    }
    const hash = createHash('sha256');
    const chunk = Buffer.alloc(chunkSize);
    for (let at = 0; at < size - hashSize; ) {
      const count = readSync(fd, chunk, 0, Math.min(chunkSize, size - hashSize - at), at);
      if (count === 0) throw new SnapshotError(`${path}: cannot be read to its end`);
      hash.update(chunk.subarray(0, count));
      at += count;
    }
    const stored = Buffer.alloc(hashSize);
    readSync(fd, stored, 0, hashSize, size - hashSize);
    if (!hash.digest().equals(stored))
      throw new SnapshotError(`${path}: its content does not match its hash; the file is damaged`);
  } finally {
    closeSync(fd);
  }
}

/** @throws {SnapshotError} if it is another kind of file, or the database of another program */
export function openSnapshot(path: string): BoltReader {
  try {
    const reader = new BoltReader(path);
    if ([...reader.buckets()].includes(bucketNames.key)) return reader;
    reader.close();
  } catch (error) {
    if (!(error instanceof BoltError)) throw error;
    throw new SnapshotError(`${path}: ${error.message}; the file is not a snapshot`);
  }
  throw new SnapshotError(`${path}: holds no keys of a store or an etcd; the file is not a snapshot`);
}

export interface SnapshotStatus {
  /** CRC-32C of all buckets, as etcdctl prints it. */
  hash: number;
  revision: number;
  totalKey: number;
  totalSize: number;
}

/**
 * What `etcdctl snapshot status` tells of a file.
 * @throws {SnapshotError} as {@link verifySnapshot} and {@link openSnapshot} do
 */
export function snapshotStatus(path: string): SnapshotStatus {
  verifySnapshot(path, true);
  const reader = openSnapshot(path);
  try {
    let hash = 0;
    let revision = 0;
    let totalKey = 0;
    for (const bucket of reader.buckets()) {
      hash = crc32c(Buffer.from(bucket), hash);
      for (const { key, value } of reader.entries(bucket)) {
        hash = crc32c(value, crc32c(key, hash));
        totalKey++;
        if (bucket === bucketNames.key) revision = parseEtcdKey(key).revision;
      }
    }
    const fd = openSync(path, 'r');
    const { size } = fstatSync(fd);
    closeSync(fd);
    return { hash, revision, totalKey, totalSize: size - (size % blockSize) };
  } finally {
    reader.close();
  }
}
