import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Container, HTTPGetAction } from '../../api/types/core-v1.ts';
import { http } from '../../client/node-http.ts';

/** Most of a body that is kept, in bytes. */
const longestBody = 10 * 1024;
const mostRedirects = 10;

/** Number of a port given as number or by the name of a container port; undefined if there is no such name. */
export function portNumber(port: number | string, container: Container): number | undefined {
  if (typeof port === 'number') return port;
  if (/^\d+$/.test(port)) return Number(port);
  return container.ports?.find((one) => one.name === port)?.containerPort;
}

/** Where an `httpGet` of a probe or hook goes. */
export function targetURL(action: HTTPGetAction, container: Container, podIP: string): URL {
  const port = portNumber(action.port as number | string, container);
  if (port === undefined)
    throw new Error(`couldn't find port: ${JSON.stringify(action.port)} in container ${container.name}`);
  const path = action.path ?? '';
  const host = action.host || podIP;
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  return new URL(
    `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path.startsWith('/') ? '' : '/'}${path}`,
  );
}

export interface HTTPAnswer {
  code: number;
  body: string;
}

function send(url: URL, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { headers, signal, agent: false as const, method: 'GET' };
    const outgoing =
      url.protocol === 'https:'
        ? // Kubernetes does not verify certificates of probes either.
          httpsRequest(url, { ...options, rejectUnauthorized: false }, resolve)
        : http.request(url, options, resolve);
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length >= longestBody) break;
  }
  return Buffer.concat(chunks).toString('utf8', 0, longestBody);
}

/** The action's headers over the probe's own; one given several times is sent several times. */
function requestHeaders(action: Pick<HTTPGetAction, 'httpHeaders'>, userAgent: string): OutgoingHttpHeaders {
  const own = Map.groupBy(action.httpHeaders ?? [], ({ name }) => name.toLowerCase());
  const headers: OutgoingHttpHeaders = { 'user-agent': userAgent, accept: '*/*' };
  for (const [name, items] of own) {
    const values = items.map(({ value }) => value);
    // Node takes one Host only, and not as a list.
    headers[name] = name === 'host' || values.length === 1 ? values.at(-1) : values;
  }
  return headers;
}

/** GETs once on a connection of its own, following redirects to the same host. */
export async function httpGet(
  url: URL,
  action: Pick<HTTPGetAction, 'httpHeaders'>,
  signal: AbortSignal,
  userAgent: string,
): Promise<HTTPAnswer> {
  const headers = requestHeaders(action, userAgent);
  let target = url;
  for (let redirects = 0; ; redirects++) {
    const response = await send(target, headers, signal);
    const code = response.statusCode ?? 0;
    const location = response.headers.location;
    if (code >= 300 && code < 400 && location && redirects < mostRedirects) {
      const next = new URL(location, target);
      response.destroy();
      if (next.hostname !== url.hostname) return { code, body: '' };
      target = next;
      continue;
    }
    return { code, body: await readBody(response) };
  }
}
