import type { Server } from 'node:http';
import type { Log } from '../client/log.ts';
import { http } from '../client/node-http.ts';

interface Entry {
  readonly port: number;
  localEndpoints: number;
  readonly server: Server;
}

/**
 * Tells load balancers on a Service's `healthCheckNodePort` whether this node has endpoints of it: 200 if so,
 * 503 if not, with the count in the body and in `X-Load-Balancing-Endpoint-Weight`.
 */
export class HealthCheckNodePorts {
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();

  constructor(options: { log: Log }) {
    this.#log = options.log;
  }

  update(service: string, wanted: { port: number; localEndpoints: number } | undefined): void {
    const entry = this.#entries.get(service);
    if (entry && entry.port === wanted?.port) {
      entry.localEndpoints = wanted.localEndpoints;
      return;
    }
    entry?.server.close();
    this.#entries.delete(service);
    if (wanted) this.#entries.set(service, this.#open(service, wanted));
  }

  close(): void {
    for (const entry of this.#entries.values()) {
      entry.server.close();
      entry.server.closeAllConnections();
    }
    this.#entries.clear();
  }

  #open(service: string, wanted: { port: number; localEndpoints: number }): Entry {
    const [namespace, name] = service.split('/');
    const server = http.createServer((_request, response) => {
      const { localEndpoints } = entry;
      response.writeHead(localEndpoints ? 200 : 503, {
        'content-type': 'application/json',
        'x-content-type-options': 'nosniff',
        'x-load-balancing-endpoint-weight': String(localEndpoints),
      });
      response.end(
        JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy: true }),
      );
    });
    const entry: Entry = { ...wanted, server };
    server.on('error', (error: NodeJS.ErrnoException) => {
      this.#log.warn({ service, port: wanted.port, code: error.code }, 'cannot open the health check port');
      if (this.#entries.get(service) === entry) this.#entries.delete(service);
    });
    server.listen(wanted.port, '0.0.0.0');
    return entry;
  }
}
