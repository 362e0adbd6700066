import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { http } from './node-http.ts';

/** A named condition of `/healthz`, `/livez` or `/readyz`: undefined when well, else what is wrong. */
export interface HealthCheck {
  name: string;
  check(): string | undefined;
  /** Left out of `/livez`: a component that waits for another is alive. */
  readinessOnly?: boolean;
}

export interface ServingOptions {
  host: string;
  port: number;
  /** Serves TLS when both are given. */
  certFile?: string;
  keyFile?: string;
  checks?: readonly HealthCheck[];
  /** The text of `/metrics`. */
  metrics?: () => string | Promise<string>;
}

/** The answer of a health endpoint, worded as Kubernetes words it. */
export function healthAnswer(
  endpoint: string,
  checks: readonly HealthCheck[],
  verbose: boolean,
): { code: number; body: string } {
  const results = checks
    .filter((item) => endpoint !== 'livez' || !item.readinessOnly)
    .map((item) => ({ name: item.name, problem: item.check() }));
  const failed = results.some((item) => item.problem !== undefined);
  if (!failed && !verbose) return { code: 200, body: 'ok' };
  const lines = results.map(({ name, problem }) =>
    problem === undefined ? `[+]${name} ok` : `[-]${name} failed: ${problem}`,
  );
  lines.push(failed ? `${endpoint} check failed` : `${endpoint} check passed`);
  return { code: failed ? 500 : 200, body: `${lines.join('\n')}\n` };
}

/** A component's small server for health and metrics; answers 404 to everything else. */
export async function serveHealth(
  options: ServingOptions,
): Promise<{ server: Server; port: number; close(): void }> {
  const checks = options.checks ?? [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const endpoint = /^\/(healthz|livez|readyz)$/.exec(url.pathname)?.[1];
    const plain = { 'content-type': 'text/plain; charset=utf-8' };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, plain).end('method not allowed\n');
    } else if (endpoint) {
      const { code, body } = healthAnswer(endpoint, checks, url.searchParams.has('verbose'));
      response.writeHead(code, plain).end(body);
    } else if (url.pathname === '/metrics' && options.metrics) {
      const body = await options.metrics();
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(body);
    } else {
      response.writeHead(404, plain).end('404 page not found\n');
    }
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    handle(request, response).catch((error: Error) => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(`${error.message}\n`);
    });
  };
  const server: Server =
    options.certFile && options.keyFile
      ? createHttpsServer(
          { cert: readFileSync(options.certFile), key: readFileSync(options.keyFile) },
          listener,
        )
      : http.createServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    server,
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
