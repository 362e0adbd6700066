import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import {
  apiVersionOf,
  type KubeList,
  type KubeObject,
  type Resource,
  type WatchEvent,
} from '../api/object.ts';
import type { DeleteOptions } from '../api/types/meta-v1.ts';
import { readWatchLines } from './json-lines.ts';
import type { ClientConfig } from './kubeconfig.ts';
import { http } from './node-http.ts';
import { StatusError, statusErrorFrom } from './status-error.ts';

export interface ObjectKey {
  name: string;
  namespace?: string;
}

export interface ListOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  resourceVersion?: string;
  resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}

export interface WatchOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion?: string;
  allowWatchBookmarks?: boolean;
  sendInitialEvents?: boolean;
  resourceVersionMatch?: 'NotOlderThan';
  timeoutSeconds?: number;
}

const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

export interface Patch {
  type: keyof typeof patchTypes;
  body: unknown;
}

export interface WriteOptions {
  subresource?: string;
  fieldManager?: string;
  force?: boolean;
}

export interface RawRequest {
  method: string;
  /** Path with query, from the root: `/api/v1/…`. */
  path: string;
  /** Serialized as JSON. */
  body?: unknown;
  contentType?: string;
  accept?: string;
  signal?: AbortSignal;
  /** Gives up when no byte has moved for this long. Zero: never. */
  timeoutMilliseconds?: number;
}

/** Media type of metadata-only answers, for clients that need nothing but metadata (garbage collection). */
export const metadataOnly = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

function query(parameters: object): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined && value !== '' && value !== false) search.set(name, String(value));
  const text = search.toString();
  return text ? `?${text}` : '';
}

/** The URL path of a collection, an object or a subresource. */
export function pathOf(resource: Resource, key: Partial<ObjectKey> = {}, subresource?: string): string {
  const root = resource.group ? `/apis/${apiVersionOf(resource)}` : `/api/${resource.version}`;
  const namespace =
    resource.namespaced && key.namespace ? `/namespaces/${encodeURIComponent(key.namespace)}` : '';
  const name = key.name ? `/${encodeURIComponent(key.name)}` : '';
  return `${root}${namespace}/${resource.plural}${name}${subresource ? `/${subresource}` : ''}`;
}

const keyFrom = (object: KubeObject): ObjectKey => ({
  name: object.metadata?.name ?? '',
  ...(object.metadata?.namespace && { namespace: object.metadata.namespace }),
});

/**
 * The Kubernetes REST API over HTTP/1.1 with kept-alive connections.
 *
 * Every method throws {@link StatusError} for an answer other than 2xx and the socket's error when the server
 * cannot be reached; nothing is retried here: callers are level-triggered and decide themselves.
 */
export class ApiClient {
  readonly config: ClientConfig;
  readonly #agent: Agent | undefined;
  readonly #userAgent: string;
  readonly #base: URL;

  constructor(options: { config: ClientConfig; userAgent: string; maxSockets?: number }) {
    this.config = options.config;
    this.#userAgent = options.userAgent;
    this.#base = new URL(options.config.server);
    const { ca, cert, key, insecureSkipTLSVerify } = options.config;
    this.#agent =
      this.#base.protocol === 'https:'
        ? new Agent({
            keepAlive: true,
            // Below the server's own keep-alive limit, so that a request never meets a socket being closed.
            timeout: 50_000,
            scheduling: 'lifo',
            maxSockets: options.maxSockets ?? 256,
            rejectUnauthorized: !insecureSkipTLSVerify,
            ...(ca && { ca }),
            ...(cert && { cert }),
            ...(key && { key }),
          })
        : undefined;
  }

  get<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, subresource?: string): Promise<T> {
    return this.json({ method: 'GET', path: pathOf(resource, key, subresource) });
  }

  list<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions = {},
    accept?: string,
  ): Promise<KubeList<T>> {
    const { namespace, ...parameters } = options;
    const path = pathOf(resource, namespace ? { namespace } : {}) + query(parameters);
    return this.json({ method: 'GET', path, ...(accept && { accept }) });
  }

  create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: { namespace?: string; fieldManager?: string } = {},
  ): Promise<T> {
    const namespace = options.namespace ?? object.metadata?.namespace;
    const path = pathOf(resource, namespace ? { namespace } : {});
    return this.json({
      method: 'POST',
      path: path + query({ fieldManager: options.fieldManager }),
      body: object,
    });
  }

  /** POST to a subresource, such as `binding`, `eviction` or `token`. */
  createSub<R>(resource: Resource, key: ObjectKey, subresource: string, body: unknown): Promise<R> {
    return this.json({ method: 'POST', path: pathOf(resource, key, subresource), body });
  }

  update<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const path = pathOf(resource, keyFrom(object), options.subresource);
    return this.json({
      method: 'PUT',
      path: path + query({ fieldManager: options.fieldManager }),
      body: object,
    });
  }

  patch<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    patch: Patch,
    options: WriteOptions = {},
  ): Promise<T> {
    const { subresource, ...parameters } = options;
    return this.json({
      method: 'PATCH',
      path: pathOf(resource, key, subresource) + query(parameters),
      body: patch.body,
      contentType: patchTypes[patch.type],
    });
  }

  /** Answers the object while it still terminates, or a Status when it is gone. */
  delete<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options: DeleteOptions = {},
  ): Promise<T> {
    return this.json({ method: 'DELETE', path: pathOf(resource, key), body: deleteBody(options) });
  }

  async deleteCollection(
    resource: Resource,
    options: ListOptions = {},
    deletion: DeleteOptions = {},
  ): Promise<void> {
    const { namespace, ...parameters } = options;
    const path = pathOf(resource, namespace ? { namespace } : {}) + query(parameters);
    await this.json({ method: 'DELETE', path, body: deleteBody(deletion) });
  }

  /**
   * Streams changes until the server ends the stream or `signal` aborts. An `ERROR` event is thrown as
   * {@link StatusError} (see `isExpired`).
   */
  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions,
    signal: AbortSignal,
    accept?: string,
  ): AsyncGenerator<WatchEvent<T>[], void, void> {
    const { namespace, ...parameters } = options;
    const path = pathOf(resource, namespace ? { namespace } : {}) + query({ ...parameters, watch: true });
    // A server sends a bookmark every minute: longer silence means that the connection is dead.
    const timeoutMilliseconds = options.allowWatchBookmarks ? 150_000 : 0;
    const response = await this.stream({
      method: 'GET',
      path,
      signal,
      timeoutMilliseconds,
      ...(accept && { accept }),
    });
    // Yields whole chunks: one turn of the caller's loop a chunk, not one a line.
    for await (const events of readWatchLines<T>(response)) {
      for (const event of events) if (event.type === 'ERROR') throw new StatusError(event.object);
      yield events;
    }
  }

  /** Sends a request and parses the JSON answer. */
  async json<R>(request: RawRequest): Promise<R> {
    return JSON.parse(await this.text(request)) as R;
  }

  /** Sends a request and returns the answer as text. */
  async text(request: RawRequest): Promise<string> {
    return readAll(await this.stream(request));
  }

  /** Sends a request and returns the answer's stream once its status is known to be 2xx. */
  async stream(request: RawRequest): Promise<IncomingMessage> {
    const response = await this.#send(request);
    const code = response.statusCode ?? 0;
    if (code >= 200 && code < 300) return response;
    throw statusErrorFrom(code, await readAll(response));
  }

  /** Closes idle connections. Requests under way end by their own signal. */
  close(): void {
    this.#agent?.destroy();
  }

  #send(request: RawRequest): Promise<IncomingMessage> {
    const { token } = this.config;
    const bearer = typeof token === 'function' ? token() : token;
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const timeout = request.timeoutMilliseconds ?? 30_000;
    return new Promise((resolve, reject) => {
      const send = this.#agent ? httpsRequest : http.request;
      const outgoing = send(
        {
          host: this.#base.hostname.replace(/^\[|\]$/g, ''),
          port: this.#base.port || (this.#agent ? 443 : 80),
          path: this.#base.pathname.replace(/\/$/, '') + request.path,
          method: request.method,
          headers: {
            accept: request.accept ?? 'application/json',
            'user-agent': this.#userAgent,
            ...(bearer && { authorization: `Bearer ${bearer}` }),
            ...(body && {
              'content-type': request.contentType ?? 'application/json',
              'content-length': body.length,
            }),
          },
          ...(this.#agent && { agent: this.#agent }),
          ...(request.signal && { signal: request.signal }),
        },
        resolve,
      );
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        // The server may close an idle connection just as it is used again; reading twice does no harm.
        const stale = error.code === 'ECONNRESET' && outgoing.reusedSocket && request.method === 'GET';
        if (stale && !request.signal?.aborted) resolve(this.#send(request));
        else reject(error);
      });
      outgoing.setTimeout(timeout, () =>
        outgoing.destroy(new Error(`${request.method} ${request.path}: no answer within ${timeout} ms`)),
      );
      outgoing.end(body);
    });
  }
}

const deleteBody = (options: DeleteOptions): DeleteOptions => ({
  apiVersion: 'v1',
  kind: 'DeleteOptions',
  ...options,
});

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
