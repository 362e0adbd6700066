import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Logger } from 'pino';
import type { Authenticator } from './authn/authenticator.ts';
import { effectiveUser } from './authn/impersonation.ts';
import type { Answer } from './rest/answer.ts';
import { json } from './rest/answer.ts';
import { ApiError, badRequest, tooLarge, unauthorized } from './rest/api-error.ts';
import { type ApiRoutes, asApiError } from './rest/api-routes.ts';
import type { InFlightLimits } from './rest/in-flight-limits.ts';
import type { User } from './rest/request-context.ts';
import { parseRequest, type RequestInfo } from './rest/request-info.ts';

/** The largest body that is read, in bytes; Kubernetes' limit. */
export const bodyLimit = 3 * 1024 * 1024;
const gzipFrom = 128 * 1024;
const compress = promisify(gzip);

export interface Authorizer {
  /** @throws {ApiError} 403 */
  authorize(user: User, info: RequestInfo): void;
}

export interface PathRoutes {
  /** Answers a path that is not a resource; undefined if there is no such path. */
  handle(info: RequestInfo, request: IncomingMessage): Promise<Answer | undefined>;
  /** Whether the path is answered without credentials. */
  isPublic(path: string): boolean;
}

export interface ApiServerOptions {
  tls: { cert: string | Buffer; key: string | Buffer; clientCa?: string | Buffer | undefined };
  authenticator: Authenticator;
  authorizer: Authorizer;
  resources: ApiRoutes;
  paths: PathRoutes;
  log: Logger;
  limits: InFlightLimits;
  observe(info: RequestInfo, code: number, seconds: number): void;
}

const empty = Buffer.alloc(0);

/** A text as it may stand in a `Warning` header. https://www.rfc-editor.org/rfc/rfc7234#section-5.5 */
const warningHeader = (text: string): string =>
  `299 - "${text.replace(/[^\x20-\x7e]/g, ' ').replace(/["\\]/g, '\\$&')}"`;

/** The HTTPS front: who is it, may they, what do they want. Everything it answers is JSON, errors a Status. */
export function buildServer(options: ApiServerOptions): FastifyInstance<Server> {
  const { tls, log } = options;
  const app = fastify<Server>({
    https: {
      cert: tls.cert,
      key: tls.key,
      ...(tls.clientCa && { ca: tls.clientCa }),
      requestCert: !!tls.clientCa,
      // Without a good certificate there may still be a token; the authenticator decides.
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    },
    loggerInstance: undefined,
    logger: false,
    bodyLimit,
    // Longer than clients keep idle connections, so that none is closed under a request.
    keepAliveTimeout: 120_000,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    // The router's own refusals: a path that does not decode, or is too long.
    frameworkErrors: (_error, _request, reply) => {
      void send(reply, asAnswer(badRequest('the path is not valid percent-encoding')), []);
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  const handler = (request: FastifyRequest, reply: FastifyReply) => handle(options, request, reply);
  app.route({ method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'], url: '/*', handler });
  app.setNotFoundHandler((_request, reply) => {
    void send(reply, asAnswer(badRequest('the request is malformed')), []);
  });
  app.setErrorHandler((error: Error & { statusCode?: number; code?: string }, _request, reply) => {
    void send(reply, asAnswer(translate(error, log)), []);
  });
  return app as unknown as FastifyInstance<Server>;
}

/** Anything thrown, as an answer. What nobody foresaw is logged, and the client is asked to come again. */
function translate(error: Error & { statusCode?: number; code?: string }, log: Logger): ApiError {
  const known = asApiError(error);
  if (known) return known;
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge(bodyLimit);
  if (error instanceof URIError) return badRequest('the path is not valid percent-encoding');
  if (error.statusCode && error.statusCode < 500) return badRequest(error.message);
  log.error({ err: error }, 'a request failed');
  return new ApiError({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: ${error.message}`,
    details: { causes: [{ message: error.message }] },
  });
}

const asAnswer = (error: ApiError): Answer => json(error.status.code, error.status);

async function handle(
  options: ApiServerOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const began = performance.now();
  const warnings: string[] = [];
  let info: RequestInfo | undefined;
  let answer: Answer | undefined;
  try {
    info = parseRequest(request.method, request.raw.url ?? '/');
    answer = await route(options, info, request, reply, warnings);
    if (!answer) return reply;
  } catch (error) {
    const failure = translate(error as Error, options.log);
    answer = asAnswer(failure);
    const retryAfter = failure.status.details?.retryAfterSeconds;
    if (retryAfter) reply.header('retry-after', retryAfter);
  }
  if (info) options.observe(info, answer.code, (performance.now() - began) / 1000);
  return send(reply, answer, warnings);
}

async function route(
  options: ApiServerOptions,
  info: RequestInfo,
  request: FastifyRequest,
  reply: FastifyReply,
  warnings: string[],
): Promise<Answer | undefined> {
  if (!info.isResource && options.paths.isPublic(info.path)) {
    const answer = await options.paths.handle(info, request.raw);
    if (answer) return answer;
  }
  const sender = await options.authenticator.authenticate(request.raw);
  if (!sender) throw unauthorized();
  const user = effectiveUser(sender, request.raw.headers, options.authorizer);
  const release = options.limits.enter(info);
  try {
    return await perform(options, info, request, reply, warnings, user);
  } finally {
    release();
  }
}

async function perform(
  options: ApiServerOptions,
  info: RequestInfo,
  request: FastifyRequest,
  reply: FastifyReply,
  warnings: string[],
  user: User,
): Promise<Answer | undefined> {
  options.authorizer.authorize(user, info);
  if (!info.isResource) {
    const answer = await options.paths.handle(info, request.raw);
    return (
      answer ?? {
        code: 404,
        contentType: 'text/plain; charset=utf-8',
        body: Buffer.from('404 page not found\n'),
      }
    );
  }
  const body = Buffer.isBuffer(request.body) ? request.body : empty;
  const begin = (code: number, headers: Record<string, string>): ServerResponse => {
    reply.hijack();
    reply.raw.writeHead(code, { 'cache-control': 'no-cache, private', ...headers });
    reply.raw.flushHeaders();
    return reply.raw;
  };
  return options.resources.handle({ info, user, raw: request.raw, body, warnings }, begin);
}

/** Whether a person reads the answer: JSON is indented for them, as Kubernetes does. */
function wantsPretty({ url, headers }: IncomingMessage): boolean {
  const asked = /[?&]pretty=([^&]*)/.exec(url ?? '')?.[1];
  if (asked !== undefined) return !/^(false|0|f)$/i.test(asked);
  return /^(curl|Wget|Mozilla\/5\.0)/.test(headers['user-agent'] ?? '');
}

async function send(reply: FastifyReply, given: Answer, warnings: readonly string[]): Promise<FastifyReply> {
  const { raw } = reply.request;
  let answer = given;
  if (answer.contentType.startsWith('application/json') && wantsPretty(raw)) {
    const text = JSON.stringify(JSON.parse(answer.body.toString()), null, 2);
    answer = { ...answer, body: Buffer.from(`${text}\n`) };
  }
  reply.code(answer.code);
  reply.header('content-type', answer.contentType);
  reply.header('cache-control', 'no-cache, private');
  if (answer.headers) reply.headers(answer.headers);
  if (warnings.length) reply.header('warning', [...new Set(warnings)].map(warningHeader));
  if (raw.method === 'HEAD') {
    reply.header('content-length', answer.body.length);
    return reply.send();
  }
  if (answer.body.length >= gzipFrom && /\bgzip\b/.test(raw.headers['accept-encoding'] ?? '')) {
    reply.header('content-encoding', 'gzip');
    reply.header('vary', 'Accept-Encoding');
    return reply.send(await compress(answer.body, { level: constants.Z_BEST_SPEED }));
  }
  return reply.send(answer.body);
}
