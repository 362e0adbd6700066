import { createServer, type Server, type Socket } from 'node:net';
import { unmapIPv4 } from '../api/net.ts';
import type { Balancer } from './balancer.ts';
import { type DialTimings, dial } from './dial.ts';
import { Opening } from './opening.ts';
import type { Scope } from './plan.ts';

/** Counts and holds the connections of all frontends of a process. */
export class Connections {
  readonly #open = new Set<Socket>();
  accepted = 0;
  /** Clients turned away because no endpoint took them. */
  refused = 0;

  get open(): number {
    return this.#open.size;
  }

  add(socket: Socket): void {
    this.accepted++;
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  }

  /** Ends every connection at once. */
  destroy(): void {
    for (const socket of this.#open) socket.destroy();
  }
}

export interface TcpFrontendOptions {
  /** Empty for all addresses of the node. */
  address: string;
  port: number;
  scope: Scope;
  balancer: Balancer;
  connections: Connections;
  timings?: DialTimings;
}

/** Listens on one address and copies bytes between each client and an endpoint. */
export class TcpFrontend {
  readonly #server: Server;
  readonly port: number;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** @throws the socket's error, such as EADDRINUSE */
  static listen(options: TcpFrontendOptions): Promise<TcpFrontend> {
    const server = createServer(
      // Nothing is read from a client before its endpoint is connected: until then it can go to another.
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true },
      (client) => serve(client, options),
    );
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: options.address || '0.0.0.0', port: options.port, backlog: 4096 }, () => {
        server.off('error', reject);
        const address = server.address();
        resolve(new TcpFrontend(server, typeof address === 'object' && address ? address.port : 0));
      });
    });
  }

  /** Stops listening. Connections that exist go on, as with the kernel's connection tracking. */
  close(): void {
    this.#server.close();
  }
}

function serve(client: Socket, options: TcpFrontendOptions): void {
  const { balancer, scope, connections, timings } = options;
  connections.add(client);
  const address = unmapIPv4(client.remoteAddress ?? '');
  const tried = new Set<string>();
  const opening = new Opening();
  let backend: Socket | undefined;
  // The endpoint learns of a reset as a reset, not as an end that looks complete.
  client.on('error', () => backend?.resetAndDestroy());
  const next = () =>
    dial({ balancer, client: address, scope, tried, ...(timings && { timings }) }, (socket, endpoint) => {
      if (!socket || !endpoint) {
        connections.refused++;
        client.resetAndDestroy();
        return;
      }
      if (client.destroyed) {
        socket.destroy();
        return;
      }
      backend = socket;
      opening.run(client, socket, (reset) => {
        if (opening.canRepeat && !client.destroyed) {
          socket.destroy();
          balancer.failed(address, endpoint);
          next();
        } else if (reset) client.resetAndDestroy();
        else client.end();
      });
    });
  next();
  client.once('close', () => {
    if (!backend || backend.destroyed) return;
    // Closed without having ended: the endpoint must not take what it got for all. Closed after its end: what the
    // endpoint still says has no reader.
    if (client.readableEnded) backend.destroySoon();
    else backend.resetAndDestroy();
  });
}
