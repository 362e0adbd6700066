import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Log } from '../../client/log.ts';
import { type HealthCheck, healthAnswer } from '../../client/serving.ts';
import type { ContainerRuntime, PodLookup } from '../runtime/types.ts';
import { authorize, identityOf } from './authorize.ts';
import { HttpError } from './http-error.ts';
import { serveLogs } from './logs.ts';
import { parseRoute, type Route } from './routes.ts';
import { serveCommand, servePortForward } from './streaming.ts';
import { refuseUpgrade } from './upgrade.ts';

export interface KubeletServerOptions {
  lookup: PodLookup;
  runtime: ContainerRuntime;
  log: Log;
  address: string;
  /** 0 takes a free one. */
  port: number;
  /** PEM. */
  tls: { cert: string; key: string; clientCA: string };
  checks?: readonly HealthCheck[];
  /** Bodies of `/metrics`, `/metrics/resource`, `/metrics/cadvisor` and `/stats/summary`. */
  reports: {
    metrics(): string | Promise<string>;
    resourceMetrics(): Promise<string>;
    cadvisorMetrics(): Promise<string>;
    summary(): Promise<object>;
  };
}

const text = { 'content-type': 'text/plain; charset=utf-8' };
const prometheus = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };

function sendJson(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const urlOf = (request: IncomingMessage): URL => new URL(request.url ?? '/', 'https://kubelet');

/** The kubelet's HTTPS API. https://kubernetes.io/docs/reference/node/kubelet-api/ */
class KubeletServer {
  readonly #options: KubeletServerOptions;

  constructor(options: KubeletServerOptions) {
    this.#options = options;
  }

  /** Finds what is asked for and whether the caller may. @throws {HttpError} */
  #admit(request: IncomingMessage): { route: Route; query: URLSearchParams } {
    const { pathname, searchParams } = urlOf(request);
    const route = parseRoute(pathname);
    if (route?.name !== 'health')
      authorize(identityOf(request.socket as TLSSocket), request.method === 'GET' ? 'get' : 'create');
    if (!route) throw new HttpError(404, '404 page not found\n');
    return { route, query: searchParams };
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { route, query } = this.#admit(request);
      if (
        request.method !== 'GET' &&
        route.name !== 'exec' &&
        route.name !== 'attach' &&
        route.name !== 'portForward'
      )
        throw new HttpError(405, '405: Method Not Allowed');
      await this.#serve(route, query, response);
    } catch (error) {
      const code = error instanceof HttpError ? error.code : 500;
      if (code === 500) this.#options.log.warn({ url: request.url, err: String(error) }, 'request failed');
      if (response.headersSent) response.destroy();
      else response.writeHead(code, text).end((error as Error).message);
    }
  }

  async #serve(route: Route, query: URLSearchParams, response: ServerResponse): Promise<void> {
    const { lookup, reports, checks = [] } = this.#options;
    switch (route.name) {
      case 'health': {
        const { code, body } = healthAnswer(route.endpoint, checks, query.has('verbose'));
        response.writeHead(code, text).end(body);
        return;
      }
      case 'logs':
        return serveLogs(this.#options, route, query, response);
      case 'pods':
      case 'runningpods': {
        const running = (uid: string | undefined) =>
          lookup.runtimeState(uid ?? '')?.containers.some(({ state }) => state === 'running');
        const pods = lookup.pods().filter(({ metadata }) => route.name === 'pods' || running(metadata?.uid));
        return sendJson(response, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: pods });
      }
      case 'summary':
        return sendJson(response, await reports.summary());
      case 'metrics':
      case 'resourceMetrics':
      case 'cadvisorMetrics':
        response.writeHead(200, prometheus).end(await reports[route.name]());
        return;
      default:
        throw new HttpError(400, 'unable to upgrade: missing upgrade headers in request');
    }
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => undefined);
    try {
      const { route, query } = this.#admit(request);
      const upgrade = { request, socket, head, query };
      if (route.name === 'exec' || route.name === 'attach') await serveCommand(this.#options, route, upgrade);
      else if (route.name === 'portForward') await servePortForward(this.#options, route, upgrade);
      else throw new HttpError(400, `${urlOf(request).pathname} cannot be upgraded`);
    } catch (error) {
      if (error instanceof HttpError) return refuseUpgrade(socket, error.code, error.message);
      this.#options.log.warn({ url: urlOf(request).pathname, err: String(error) }, 'stream failed');
      socket.destroy();
    }
  }
}

/**
 * Serves the kubelet's HTTPS API until `close`. Everything but `/healthz`, `/livez` and `/readyz` takes a client
 * certificate of the apiserver or of an administrator.
 */
export async function serveKubelet(options: KubeletServerOptions): Promise<{ port: number; close(): void }> {
  const { cert, key, clientCA: ca } = options.tls;
  const handler = new KubeletServer(options);
  const server = createServer({
    cert,
    key,
    ca,
    requestCert: true,
    rejectUnauthorized: false,
    // A client whose machine is gone must not keep its command for ever.
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  });
  const upgraded = new Set<Duplex>();
  server.on('request', (request, response) => void handler.answer(request, response));
  server.on('upgrade', (request, socket, head) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    void handler.upgrade(request, socket, head);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.address, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
    },
  };
}
