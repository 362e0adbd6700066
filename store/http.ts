import type { RequestListener } from 'node:http';
import type { StoreContext } from './services/context.ts';

/** What etcd answers over HTTP/1.1. */
export function handleHttp(context: StoreContext): RequestListener {
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
    const healthy = !context.mvcc.failed;
    if (path === '/health') json(healthy ? 200 : 503, { health: String(healthy) });
    else if (path === '/readyz' || path === '/livez')
      response.writeHead(healthy ? 200 : 503).end(healthy ? 'ok\n' : 'writes fail\n');
    else if (path === '/version') json(200, { etcdserver: version, etcdcluster: version });
    else response.writeHead(404).end('404 page not found\n');
  };
}

/** The etcd API version that is spoken. */
export const version = '3.5.0';
