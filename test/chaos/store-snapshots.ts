import { closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { SnapshotRequest, SnapshotResponse } from '../../api/etcd/messages.ts';
import type { GrpcClient } from '../../store/grpc/client.ts';
import { snapshotStatus, verifySnapshot } from '../../store/snapshot/file.ts';
import { restoreSnapshot } from '../../store/snapshot/restore.ts';
import { EtcdClient } from '../../store/testing/etcd.ts';
import { freePort, removeDirectory, StoreProcess, temporaryDirectory } from '../../store/testing/process.ts';

/**
 * Saves a snapshot and checks its hash. Returns its revision.
 * @throws {Error} when the call ends before the snapshot does, or the file is not whole.
 */
export async function saveSnapshot(connection: GrpcClient, path: string): Promise<number> {
  const fd = openSync(path, 'w', 0o600);
  try {
    await new Promise<void>((resolve, reject) => {
      const codecs = { request: SnapshotRequest, response: SnapshotResponse };
      const stream = connection.stream('/etcdserverpb.Maintenance/Snapshot', codecs, {
        onMessage: ({ blob }) => writeSync(fd, blob),
        onEnd: (error) => (error ? reject(error) : resolve()),
      });
      stream.write({});
      stream.end();
    });
  } finally {
    closeSync(fd);
  }
  verifySnapshot(path);
  return snapshotStatus(path).revision;
}

/** Files of snapshots that a store has begun and not ended. */
export function unfinishedSnapshots(dataDir: string): string[] {
  return readdirSync(dataDir).filter((name) => /^snapshot-.*\.tmp$/.test(name));
}

/** Every key with its value, revisions and lease, in one string. */
async function content(connection: GrpcClient): Promise<string> {
  const all = { key: Buffer.from('\0'), range_end: Buffer.from('\0') };
  const { kvs } = await new EtcdClient(connection).range(all);
  return kvs
    .map(
      ({ key, value, create_revision, mod_revision, version, lease }) =>
        `${key} ${create_revision} ${mod_revision} ${version} ${lease} ${Buffer.from(value).toString('base64')}`,
    )
    .join('\n');
}

/**
 * Saves a snapshot of a store or an etcd that nobody writes to, restores it into a new store and compares the two.
 * Returns what differs, in words.
 */
export async function compareRestored(source: StoreProcess): Promise<string | undefined> {
  const directory = temporaryDirectory();
  const path = join(directory, 'snapshot.db');
  const dataDir = join(directory, 'restored');
  const connection = await source.connect();
  let restored: StoreProcess | undefined;
  try {
    await saveSnapshot(connection, path);
    await restoreSnapshot({ path, dataDir, skipHashCheck: false });
    restored = await StoreProcess.start({ kind: 'store', dataDir, port: await freePort() });
    const other = await restored.connect();
    const [theirs, ours] = await Promise.all([content(connection), content(other)]);
    other.close();
    return theirs === ours ? undefined : 'a restored snapshot holds other keys than the store it is of';
  } finally {
    connection.close();
    await restored?.stop('SIGKILL');
    removeDirectory(directory);
  }
}
