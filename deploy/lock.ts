import { createHash } from 'node:crypto';
import { createServer } from 'node:net';

export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes a lock that the kernel frees when its holder ends, however it ends: a name in Linux's abstract socket
 * namespace (unix(7)), which exactly one process can hold. Returns undefined if another holds it.
 */
export function acquireLock(name: string): Promise<Lock | undefined> {
  const server = createServer((socket) => socket.destroy());
  // Socket names hold 107 bytes, data directories may be longer.
  const digest = createHash('sha256').update(name).digest('hex');
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(`\0nekalakube:${digest}`, () => {
      // A lock alone must not keep a process from ending.
      server.unref();
      resolve({ release: () => new Promise((done) => server.close(() => done())) });
    });
  });
}
