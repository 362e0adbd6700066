import type { IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { ApiError } from '../rest/api-error.ts';
import { passedHeaders } from './forward.ts';

/** Writes a complete HTTP answer on a connection that asked for an upgrade, and closes it. */
export function refuse(socket: Duplex, code: number, contentType: string, body: Buffer): void {
  if (socket.destroyed) return;
  socket.end(
    Buffer.concat([
      Buffer.from(
        `HTTP/1.1 ${code} \r\ncontent-type: ${contentType}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`,
      ),
      body,
    ]),
  );
}

/** Joins two connections until either ends. */
function join(a: Duplex, b: Duplex): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
    from.pipe(to);
  }
}

export interface TunnelTarget {
  host: string;
  port: number;
  /** Path with query. */
  path: string;
  tls: Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized'>;
}

const headersOf = (raw: readonly string[]): string => {
  let text = '';
  for (let i = 0; i < raw.length; i += 2) text += `${raw[i]}: ${raw[i + 1]}\r\n`;
  return text;
};

/**
 * Passes an upgrade request on and, once the other side has switched, every byte in both directions. The
 * protocol inside (WebSocket, SPDY) is between the client and the kubelet.
 * @throws {ApiError} 503 if the kubelet cannot be reached
 */
export function tunnel(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  target: TunnelTarget,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const { connection, upgrade } = request.headers;
    const outgoing = httpsRequest({
      host: target.host,
      port: target.port,
      path: target.path,
      method: request.method,
      headers: { ...passedHeaders(request.headers), connection, upgrade },
      agent: false,
      ...target.tls,
    });
    const clientGone = () => outgoing.destroy();
    socket.once('close', clientGone);
    outgoing.once('upgrade', (response, upstream, upstreamHead) => {
      socket.off('close', clientGone);
      socket.write(
        `HTTP/1.1 ${response.statusCode} ${response.statusMessage}\r\n${headersOf(response.rawHeaders)}\r\n`,
      );
      if (upstreamHead.length) socket.write(upstreamHead);
      if (head.length) upstream.write(head);
      upstream.setTimeout(0);
      upstream.setNoDelay(true);
      join(socket, upstream);
      resolve();
    });
    outgoing.once('response', (response) => {
      // The kubelet refuses to switch: its answer is the client's.
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () => {
        const type = String(response.headers['content-type'] ?? 'text/plain');
        refuse(socket, response.statusCode ?? 502, type, Buffer.concat(chunks));
        resolve();
      });
      response.once('error', reject);
    });
    outgoing.once('error', (error) =>
      reject(
        new ApiError({
          code: 503,
          reason: 'ServiceUnavailable',
          message: `error dialing backend: ${error.message}`,
        }),
      ),
    );
    outgoing.end();
  });
}
