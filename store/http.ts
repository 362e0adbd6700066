import type { RequestListener } from 'node:http';
import type { StoreMetrics } from './metrics/store-metrics.ts';
import type { StoreContext } from './services/context.ts';

/** What etcd answers over HTTP/1.1. */
export function handleHttp(context: StoreContext, metrics: StoreMetrics): RequestListener {
  return (request, response) => {
    const path = (request.url ?? '/').split('?')[0]!;
    const json = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET' }).end('Method Not Allowed\n');
      return;
    }
    // As etcd's: an alarm makes a member unhealthy.
    const healthy = !context.mvcc.failed && context.member.alarms.size === 0;
    if (path === '/health') json(healthy ? 200 : 503, { health: String(healthy) });
    else if (path === '/readyz' || path === '/livez')
      response.writeHead(healthy ? 200 : 503).end(healthy ? 'ok\n' : 'writes fail\n');
    else if (path === '/metrics') {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
      response.end(metrics.registry.text());
    } else if (path === '/version') json(200, { etcdserver: version, etcdcluster: version });
    else response.writeHead(404).end('404 page not found\n');
  };
}

/** The etcd API version that is spoken. */
export const version = '3.5.0';
