import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { http } from '../../client/node-http.ts';
import { ApiError } from '../rest/api-error.ts';

export interface ForwardTarget {
  protocol: 'http:' | 'https:';
  host: string;
  port: number;
  /** Path with query. */
  path: string;
  method: string;
  headers: IncomingHttpHeaders;
  body?: Buffer;
  tls?: Pick<RequestOptions, 'agent' | 'ca' | 'cert' | 'key' | 'rejectUnauthorized'>;
  signal?: AbortSignal;
}

/** Headers that concern one connection only. https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1 */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Headers as they may be passed on; the client's credentials stay here. */
export function passedHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const result: IncomingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers))
    if (!hopByHop.has(name) && name !== 'authorization' && name !== 'host' && name !== 'content-length')
      result[name] = value;
  return result;
}

/** Sends a request on and resolves with the head of the answer. @throws {ApiError} 503 if nobody answers */
export function forward(target: ForwardTarget): Promise<IncomingMessage> {
  const { protocol, host, port, path, method, headers, body, tls, signal } = target;
  return new Promise((resolve, reject) => {
    const send = protocol === 'https:' ? httpsRequest : http.request;
    const outgoing = send({
      host,
      port,
      path,
      method,
      headers: { ...headers, ...(body?.length && { 'content-length': String(body.length) }) },
      ...tls,
      ...(signal && { signal }),
    });
    outgoing.once('response', resolve);
    outgoing.once('error', (error) =>
      reject(
        new ApiError({
          code: 503,
          reason: 'ServiceUnavailable',
          message: `error trying to reach service: ${error.message}`,
        }),
      ),
    );
    outgoing.end(body);
  });
}

const textLimit = 10_000;

/** The beginning of an answer's body, for an error message. */
export async function bodyText(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length > textLimit) break;
  }
  return text.slice(0, textLimit).trim();
}

/** Streams an answer to the client until either side ends. */
export async function relay(from: IncomingMessage, to: ServerResponse): Promise<void> {
  try {
    await pipeline(from, to);
  } catch {
    // One of the two is gone; the other has been closed by the pipeline, and there is nobody to tell.
  }
}
