import { BoltError } from '../bolt/format.ts';
import type { BoltReader } from '../bolt/reader.ts';
import { Disk } from '../mvcc/disk.ts';
import { DamageError, leaseKey, recordOf, revisionKey } from '../mvcc/record.ts';
import { bucketNames, metaKeys, parseEtcdKey } from './etcd-keys.ts';
import { openSnapshot, SnapshotError, verifySnapshot } from './file.ts';
import { replaceData } from './replace.ts';

const batchBytes = 4 * 1024 * 1024;

export interface RestoreOptions {
  path: string;
  dataDir: string;
  /** Accept a file without a hash, as it lies in an etcd's data directory. */
  skipHashCheck: boolean;
  /** Put data that are there already aside, under a name with this time. */
  replaceAt?: Date;
  /**
   * Added to the snapshot's revision, which then counts as compacted. Clients that saw later revisions than the
   * snapshot's are told to list anew, and no revision that they saw is given out again. 0 keeps it as it is.
   * The same as `--bump-revision` with `--mark-compacted` of etcdutl.
   */
  bumpRevision?: number;
}

export interface Restored {
  revision: number;
  /** Changes of keys, of which there can be several for a key. */
  records: number;
  /** Where the data of before are, if there were any. */
  before: string | undefined;
}

/**
 * Makes a data directory from a snapshot of ours or of an etcd, whole or not at all. Keys keep their revisions.
 * The store gets a new identity when it first starts.
 * @throws {SnapshotError} for a damaged file, or a directory that already holds data unless told to replace them.
 * @throws {DataLockedError} if a store runs on the directory.
 */
export async function restoreSnapshot(options: RestoreOptions): Promise<Restored> {
  const { path, dataDir, replaceAt } = options;
  verifySnapshot(path, options.skipHashCheck);
  const reader = openSnapshot(path);
  try {
    const { result, before } = await replaceData({
      dataDir,
      replaceAt,
      fill: (directory) => fill(directory, reader, options.bumpRevision ?? 0),
    });
    return { ...result, before };
  } catch (error) {
    if (error instanceof BoltError || error instanceof DamageError)
      throw new SnapshotError(`${path}: ${error.message}; the file is damaged`);
    throw error;
  } finally {
    reader.close();
  }
}

async function fill(
  directory: string,
  reader: BoltReader,
  bumpRevision: number,
): Promise<{ revision: number; records: number }> {
  const disk = await Disk.open({ directory });
  try {
    await disk.load(() => undefined);
    return await copy(reader, disk, bumpRevision);
  } finally {
    await disk.close();
  }
}

async function copy(
  reader: BoltReader,
  disk: Disk,
  bumpRevision: number,
): Promise<{ revision: number; records: number }> {
  let revision = 1;
  let compactRevision = -1;
  for (const { key, value } of reader.entries(bucketNames.meta)) {
    const name = key.toString();
    if (name === metaKeys.scheduledCompact || name === metaKeys.finishedCompact)
      compactRevision = Math.max(compactRevision, parseEtcdKey(value).revision);
  }
  revision = Math.max(revision, compactRevision);
  let puts: { key: Buffer; record: Buffer }[] = [];
  let bytes = 0;
  let records = 0;
  const flush = async () => {
    await disk.commit({ puts, removals: [] }, { revision, compactRevision });
    puts = [];
    bytes = 0;
  };
  for (const { key, value } of reader.entries(bucketNames.lease)) {
    puts.push({ key: leaseKey(key.readBigInt64BE(0)), record: recordOf(value) });
    bytes += value.length;
    if (bytes > batchBytes) await flush();
  }
  for (const { key, value } of reader.entries(bucketNames.key)) {
    const location = parseEtcdKey(key);
    revision = Math.max(revision, location.revision);
    puts.push({ key: revisionKey(location.revision, location.sub), record: recordOf(value) });
    records++;
    bytes += value.length;
    if (bytes > batchBytes) await flush();
  }
  revision += bumpRevision;
  if (bumpRevision > 0) compactRevision = revision;
  await flush();
  return { revision, records };
}
