import { once } from 'node:events';
import { mkdirSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';

/** Another process uses the same data. */
export class DataLockedError extends Error {
  override name = 'DataLockedError';
}

/**
 * Keeps other processes of the machine off a data directory for as long as this one lives. LevelDB's LOCK file
 * does that too, but not once somebody has deleted it; the name of an abstract socket cannot be deleted, and the
 * kernel frees it with the process.
 * @throws {DataLockedError}
 */
export async function lockData(directory: string): Promise<Server | undefined> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (process.platform !== 'linux') return undefined;
  const { dev, ino } = statSync(directory, { bigint: true });
  const server = createServer((socket) => socket.destroy());
  server.unref();
  server.listen(`\0nekalakube-store-${dev}-${ino}`);
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new DataLockedError(`the data directory ${directory} is in use by another process`);
  }
  return server;
}
