import { BoltWriter } from '../bolt/writer.ts';
import type { Faults } from '../fault.ts';
import type { RecordScan } from '../mvcc/disk.ts';
import { parseRevisionKey, prefix, summarize } from '../mvcc/record.ts';
import { bucketNames, etcdKey, metaKeys } from './etcd-keys.ts';

const scanSize = 1000;

/**
 * Writes the store's state as etcd's own database file, so that a snapshot can be restored into an etcd too.
 * The scan is a consistent view, so writers need not wait. Returns the file's size.
 */
export async function exportSnapshot(options: {
  /** All lease and revision records of one moment, in order. */
  scan: RecordScan;
  revision: number;
  compactRevision: number;
  path: string;
  faults: Faults;
}): Promise<number> {
  const { scan, revision, compactRevision, path, faults } = options;
  const writer = new BoltWriter(path);
  try {
    const leases: { key: Buffer; value: Buffer }[] = [];
    // Leases come first on disk, and after the keys in the file.
    for (let records = await scan.next(scanSize); records.length > 0; records = await scan.next(scanSize)) {
      faults.pass('during-snapshot');
      for (const { key, body } of records) {
        if (key[0] === prefix.lease) leases.push({ key: key.subarray(1), value: body });
        else if (key[0] === prefix.revision) {
          const location = parseRevisionKey(key);
          if (location.revision > revision) continue;
          writer.put(etcdKey(location, summarize(body).version === 0), body);
        }
      }
    }
    writer.endBucket(bucketNames.key);
    for (const { key, value } of leases) writer.put(key, value);
    writer.endBucket(bucketNames.lease);
    const index = Buffer.alloc(8);
    index.writeBigUInt64BE(BigInt(revision));
    writer.put(Buffer.from(metaKeys.consistentIndex), index);
    if (compactRevision > 0) {
      const compacted = etcdKey({ revision: compactRevision, sub: 0 }, false);
      writer.put(Buffer.from(metaKeys.finishedCompact), compacted);
      writer.put(Buffer.from(metaKeys.scheduledCompact), compacted);
    }
    writer.endBucket(bucketNames.meta);
    return writer.finish();
  } catch (error) {
    writer.abort();
    throw error;
  } finally {
    await scan.close();
  }
}
