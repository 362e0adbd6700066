import { createServer, type ListenOptions } from 'node:net';

/**
 * Below the ports that the kernel gives to connections (32768 on) and besides those of clusters, their node ports
 * and test clusters: nobody comes upon one of these by chance.
 */
const range = { first: 10_500, count: 2_800 };

/** Opens a listener that does not keep the process alive; undefined if another has the address. */
function listen(options: ListenOptions): Promise<ReturnType<typeof createServer> | undefined> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen({ ...options, exclusive: true }, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** A name in the abstract socket namespace (unix(7)) is this process's until it ends, however it ends. */
const reserve = (port: number) => listen({ path: `\0nekalakube-test-port-${port}` });

async function isFree(port: number): Promise<boolean> {
  const server = await listen({ port, host: '0.0.0.0' });
  if (!server) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/**
 * A TCP port for a server that cannot choose one itself. Nobody listens on it, and no other call gives it out as
 * long as this process lives, in whichever process the call is made: test files run at the same time.
 */
export async function freePort(): Promise<number> {
  const start = Math.floor(Math.random() * range.count);
  for (let i = 0; i < range.count; i++) {
    const port = range.first + ((start + i) % range.count);
    const reserved = await reserve(port);
    if (!reserved) continue;
    if (await isFree(port)) return port;
    reserved.close();
  }
  throw new Error(`no free port from ${range.first} on`);
}
