import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BoltReader } from '../bolt/reader.ts';
import { journalDirectory, memberDirectory } from '../directories.ts';
import { Disk } from '../mvcc/disk.ts';
import { leaseKey, recordOf, revisionKey } from '../mvcc/record.ts';
import { bucketNames, metaKeys, parseEtcdKey } from './etcd-keys.ts';
import { SnapshotError, verifySnapshot } from './file.ts';

const batchBytes = 4 * 1024 * 1024;

/**
 * Makes a data directory from a snapshot of ours or of an etcd. Keys keep their revisions. The store gets a new
 * identity when it first starts.
 * @throws {SnapshotError} for a damaged file or a directory that already holds data.
 */
export async function restoreSnapshot(options: {
  path: string;
  dataDir: string;
  /** Accept a file without a hash, as it lies in an etcd's data directory. */
  skipHashCheck: boolean;
}): Promise<{ revision: number; keys: number }> {
  const { path, dataDir, skipHashCheck } = options;
  verifySnapshot(path, skipHashCheck);
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0)
    throw new SnapshotError(`data directory ${dataDir} is not empty`);
  const reader = new BoltReader(path);
  const disk = await Disk.open({ directory: dataDir });
  try {
    await disk.load(() => undefined);
    const result = await copy(reader, disk);
    await disk.close();
    return result;
  } catch (error) {
    await disk.close();
    // Half a restore must not be taken for a whole one.
    for (const name of [memberDirectory, journalDirectory])
      rmSync(join(dataDir, name), { recursive: true, force: true });
    throw error;
  } finally {
    reader.close();
  }
}

async function copy(reader: BoltReader, disk: Disk): Promise<{ revision: number; keys: number }> {
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
  let keys = 0;
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
    keys++;
    bytes += value.length;
    if (bytes > batchBytes) await flush();
  }
  await flush();
  return { revision, keys };
}
