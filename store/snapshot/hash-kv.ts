import type { Mvcc } from '../mvcc/mvcc.ts';
import { parseRevisionKey, summarize } from '../mvcc/record.ts';
import { crc32c } from './crc32c.ts';
import { bucketNames, etcdKey } from './etcd-keys.ts';

const scanSize = 1000;

/** The hash that an etcd with the same history up to `revision` gives: its `mvcc.HashByRev`. */
export async function hashKV(
  mvcc: Mvcc,
  revision: number,
): Promise<{ hash: number; compactRevision: number }> {
  // What a compaction has given up must not count, whether it is removed yet or not.
  await mvcc.compacted();
  await mvcc.scannable();
  const { compactRevision } = mvcc;
  const scan = mvcc.scan(0, revision);
  let hash = crc32c(Buffer.from(bucketNames.key));
  try {
    for (let records = await scan.next(scanSize); records.length > 0; records = await scan.next(scanSize))
      for (const { key, body } of records)
        hash = crc32c(body, crc32c(etcdKey(parseRevisionKey(key), summarize(body).version === 0), hash));
  } finally {
    await scan.close();
  }
  return { hash, compactRevision };
}
