import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { SnapshotRequest, SnapshotResponse } from '../../api/etcd/messages.ts';
import { GrpcClient } from '../grpc/client.ts';
import { SnapshotError, verifySnapshot } from './file.ts';

/** A server to save from; the files are PEM, '' for none. */
export interface SnapshotSource {
  endpoint: string;
  cacert: string;
  cert: string;
  key: string;
}

/**
 * Writes a snapshot of a running store or etcd into a file, whole or not at all. A file of that name is replaced.
 * @throws {SnapshotError} if the server cannot be reached or what it sends is not whole.
 */
export async function saveSnapshot(path: string, source: SnapshotSource): Promise<void> {
  const client = await connect(source);
  const partial = `${path}.part`;
  const fd = openSync(partial, 'w', 0o600);
  try {
    try {
      await receive(client, fd);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
      client.close();
    }
    verifySnapshot(partial);
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

async function connect({ endpoint, cacert, cert, key }: SnapshotSource): Promise<GrpcClient> {
  if (!/^https?:\/\/[^,]+$/.test(endpoint))
    throw new SnapshotError(
      `--endpoints ${JSON.stringify(endpoint)}: must be one URL such as https://127.0.0.1:2379`,
    );
  const file = (path: string) => (path ? readFileSync(path) : undefined);
  const tls = { ca: file(cacert), cert: file(cert), key: file(key) };
  try {
    return await GrpcClient.connect(endpoint, tls);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    // The error of a name with several addresses has no message of its own.
    throw new SnapshotError(`cannot connect to ${endpoint}: ${message || code}`);
  }
}

function receive(client: GrpcClient, fd: number): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const stream = client.stream(
      '/etcdserverpb.Maintenance/Snapshot',
      { request: SnapshotRequest, response: SnapshotResponse },
      {
        onMessage: ({ blob }) => writeSync(fd, blob),
        onEnd: (error) => (error ? reject(error) : resolve()),
      },
    );
    stream.write({});
    stream.end();
  });
}
