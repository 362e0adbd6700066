import { errors } from '../errors.ts';
import type { Mvcc } from '../mvcc/mvcc.ts';
import { type Location, parseRevisionKey, summarize } from '../mvcc/record.ts';
import { crc32c } from './crc32c.ts';
import { bucketNames, etcdKey } from './etcd-keys.ts';

const scanSize = 1000;

/**
 * The hash that an etcd with the same history up to `revision` (0: the newest) gives: its `mvcc.HashByRev`, with
 * the revision up to which the history is compacted.
 * @throws {GrpcError} for a future revision, and for one up to the compacted one, as etcd 3.4 and 3.5 do.
 */
export async function hashKV(
  mvcc: Mvcc,
  revision: number,
): Promise<{ hash: number; compactRevision: number }> {
  for (;;) {
    // What a compaction has given up must not count, whether it is removed yet or not.
    await mvcc.compacted();
    await mvcc.scannable();
    const { compactRevision } = mvcc;
    const until = mvcc.readRevision(revision);
    if (revision > 0 && until === compactRevision) throw errors.compacted();
    const hash = await hashBetween(mvcc, compactRevision, until);
    // A later compaction may have taken away what says which changes count.
    if (mvcc.compactRevision <= until) return { hash, compactRevision };
  }
}

async function hashBetween(mvcc: Mvcc, compactRevision: number, until: number): Promise<number> {
  const counts = survivors(mvcc, compactRevision, until);
  const scan = mvcc.scan(0, until);
  let hash = crc32c(Buffer.from(bucketNames.key));
  try {
    for (let records = await scan.next(scanSize); records.length > 0; records = await scan.next(scanSize))
      for (const { key, body } of records) {
        const location = parseRevisionKey(key);
        const summary = summarize(body);
        if (counts(location, summary))
          hash = crc32c(body, crc32c(etcdKey(location, summary.version === 0), hash));
      }
  } finally {
    await scan.close();
  }
  return hash;
}

/**
 * Whether a change counts. Of those that are compacted, etcd takes only what a compaction at `until` would keep,
 * never a deletion; but all of them when such a compaction would keep nothing.
 */
function survivors(mvcc: Mvcc, compactRevision: number, until: number) {
  let some = false;
  mvcc.visit('', undefined, (entry) => {
    some = entry.existed(until);
    return !some;
  });
  return ({ revision }: Location, { key, version }: { key: string; version: number }): boolean => {
    if (revision > compactRevision) return true;
    if (version === 0) return false;
    return !some || mvcc.get(key)?.locate(until)?.revision === revision;
  };
}
