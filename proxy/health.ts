import type { Server } from 'node:http';
import { http } from '../client/node-http.ts';

export interface ProxyHealth {
  /** Milliseconds since the epoch of the last time that the listeners were brought up to date. */
  lastUpdated: () => number;
  healthy: () => boolean;
}

/**
 * Serves `/healthz` and `/livez` in kube-proxy's form: 200 when healthy, else 503, with JSON that says when the
 * rules were last brought up to date. @throws the socket's error, such as EADDRINUSE
 */
export function serveProxyHealth(
  address: { host: string; port: number },
  health: ProxyHealth,
): Promise<Server> {
  const server = http.createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0];
    if (path !== '/healthz' && path !== '/livez') {
      response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n');
      return;
    }
    const code = health.healthy() ? 200 : 503;
    response.writeHead(code, { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' });
    response.end(
      JSON.stringify({
        lastUpdated: new Date(health.lastUpdated()).toISOString(),
        currentTime: new Date().toISOString(),
        ...(path === '/healthz' && { nodeEligible: true }),
      }),
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host || '0.0.0.0', () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}
