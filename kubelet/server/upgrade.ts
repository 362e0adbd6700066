import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { HttpError } from './http-error.ts';

/** Longest WebSocket message that is taken, in bytes: clients send 32 KiB at a time. */
const maxPayload = 1024 * 1024;

const offered = (header: string | string[] | undefined): string[] =>
  [header ?? []]
    .flat()
    .join(',')
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '');

/** @throws {HttpError} 403 if the client offers protocols, but none of ours; `''` if it offers none at all */
function negotiate(client: readonly string[], server: readonly string[]): string {
  if (client.length === 0) return '';
  const protocol = server.find((name) => client.includes(name));
  if (protocol) return protocol;
  const why = `client supports [${client.join(' ')}], server accepts [${server.join(' ')}]`;
  throw new HttpError(403, `unable to upgrade: unable to negotiate protocol: ${why}`);
}

export type UpgradeKind = 'websocket' | 'spdy';

/** What the client wants to speak. @throws {HttpError} 400 for something else */
export function upgradeKind(request: IncomingMessage): UpgradeKind {
  const wanted = request.headers.upgrade?.toLowerCase();
  if (wanted === 'websocket') return 'websocket';
  if (wanted === 'spdy/3.1') return 'spdy';
  throw new HttpError(400, 'unable to upgrade: missing upgrade headers in request');
}

/** Answers an upgrade to SPDY/3.1. @returns the version of the protocol inside that both ends know */
export function acceptSpdy(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  protocols: readonly string[],
): string {
  const protocol = negotiate(offered(request.headers['x-stream-protocol-version']), protocols);
  const version = protocol ? `X-Stream-Protocol-Version: ${protocol}\r\n` : '';
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n${version}\r\n`,
  );
  if (head.length) socket.unshift(head);
  return protocol;
}

/**
 * Answers an upgrade to WebSocket. The subprotocol is settled here and not by `ws`, which rejects names with a
 * slash, as Kubernetes' `SPDY/3.1+portforward.k8s.io` has one.
 */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  protocols: readonly string[],
): Promise<{ websocket: WebSocket; protocol: string }> {
  const protocol = negotiate(offered(request.headers['sec-websocket-protocol']), protocols);
  delete request.headers['sec-websocket-protocol'];
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload,
    perMessageDeflate: false,
  });
  if (protocol) server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  return new Promise((resolve, reject) => {
    server.once('wsClientError', ({ message }) => reject(new HttpError(400, message)));
    // For a connection that is gone already `ws` calls nothing back.
    socket.once('close', () => reject(new Error('the client closed the connection')));
    server.handleUpgrade(request, socket, head, (websocket) => resolve({ websocket, protocol }));
  });
}

/** Refuses an upgrade with a plain answer. */
export function refuseUpgrade(socket: Duplex, code: number, message: string): void {
  if (!socket.writable) return;
  const body = Buffer.from(message);
  const status = `HTTP/1.1 ${code} ${code === 401 ? 'Unauthorized' : code < 500 ? 'Refused' : 'Error'}`;
  const headers = `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close`;
  socket.write(`${status}\r\n${headers}\r\n\r\n`);
  socket.end(body);
}
