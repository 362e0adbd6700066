import type { IncomingMessage, ServerResponse } from 'node:http';
import { schemaOf } from '../../api/schema/kubernetes.ts';
import type { KindRegistry, ServedKind } from '../registry/kind-registry.ts';
import type { ObjectWriter } from '../registry/object-writer.ts';
import type { VirtualKind } from '../reviews/reviews.ts';
import { EtcdError, GrpcCode } from '../storage/etcd-error.ts';
import type { Storage } from '../storage/storage.ts';
import type { Subresource } from '../subresources/subresource.ts';
import type { Answer } from './answer.ts';
import {
  ApiError,
  badRequest,
  methodNotAllowed,
  noSuchPath,
  notAcceptable,
  timedOut,
  unavailable,
} from './api-error.ts';
import { decodeBody, fieldValidationOf } from './body.ts';
import { acceptedTypes, negotiate } from './media-types.ts';
import { get, list } from './read-handlers.ts';
import { encode } from './represent.ts';
import type { ResourceRequest, User } from './request-context.ts';
import type { RequestInfo } from './request-info.ts';
import type { WatchServer } from './watch-handler.ts';
import { create, patch, remove, removeCollection, update } from './write-handlers.ts';

export interface ApiRoutesOptions {
  storage: Storage;
  registry: KindRegistry;
  writer: ObjectWriter;
  watches: WatchServer;
  subresources: readonly Subresource[];
  virtual: readonly VirtualKind[];
}

/** An error as the Status that clients understand. */
export function asApiError(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error;
  if (error instanceof EtcdError)
    return error.code === GrpcCode.deadlineExceeded
      ? timedOut('the store did not answer in time')
      : unavailable(`the store is not available: ${error.message}`);
  // Only what clients send can be nested without bound; every walk over it ends here.
  if (error instanceof RangeError && /call stack/.test(error.message))
    return badRequest('json: exceeded max depth');
  return undefined;
}

/** Takes a request on a resource to its handler. Everything is decided by the kind's declaration. */
export class ApiRoutes {
  readonly #options: ApiRoutesOptions;
  /** By `plural.group/subresource` or `plural/subresource`. */
  readonly #subresources: ReadonlyMap<string, Subresource>;

  constructor(options: ApiRoutesOptions) {
    this.#options = options;
    this.#subresources = new Map(options.subresources.map((item) => [`${item.resource}/${item.name}`, item]));
  }

  /**
   * Answers a request. A watch is answered through `begin`, and undefined is returned.
   * @throws {ApiError}
   */
  async handle(
    input: { info: RequestInfo; user: User; raw: IncomingMessage; body: Buffer; warnings: string[] },
    begin: (code: number, headers: Record<string, string>) => ServerResponse,
  ): Promise<Answer | undefined> {
    const { info, raw, ...rest } = input;
    const { registry, storage, writer, watches } = this.#options;
    const served = registry.get(info.group, info.version, info.resource);
    if (!served) return this.#answer(input);
    this.#checkScope(served, info);
    const accept = negotiate(raw.headers.accept);
    if (!accept) throw notAcceptable(acceptedTypes);
    const request: ResourceRequest = { ...rest, info, headers: raw.headers, served, accept };
    if (info.subresource && info.subresource !== 'status') return this.#subresource(request, begin);
    if (info.subresource === 'status' && (!served.kind.status || info.rest.length)) throw noSuchPath();
    if (!info.subresource && !served.kind.verbs.includes(info.verb)) throw methodNotAllowed();
    switch (info.verb) {
      case 'get':
        return get(storage, request);
      case 'list':
        return list(storage, request);
      case 'watch':
        await watches.serve(request, () => begin(200, { 'content-type': 'application/json' }));
        return undefined;
      case 'create':
        if (info.name) throw methodNotAllowed();
        return create(this.#options, request);
      case 'update':
        return update(this.#options, request);
      case 'patch':
        return patch(this.#options, request);
      case 'delete':
        if (info.subresource) throw methodNotAllowed();
        return remove(writer, request);
      case 'deletecollection':
        return removeCollection(storage, writer, request);
      default:
        throw methodNotAllowed();
    }
  }

  /** Answers a kind that is not stored. */
  async #answer(input: {
    info: RequestInfo;
    user: User;
    raw: IncomingMessage;
    body: Buffer;
    warnings: string[];
  }): Promise<Answer> {
    const { info, user, raw, body, warnings } = input;
    const kind = this.#options.virtual.find(
      (item) => item.plural === info.resource && item.group === info.group && item.version === info.version,
    );
    if (!kind) throw noSuchPath();
    if (info.verb !== 'create' || info.name || (kind.namespaced && !info.namespace)) throw methodNotAllowed();
    const accept = negotiate(raw.headers.accept);
    if (!accept) throw notAcceptable(acceptedTypes);
    const object = await decodeBody({
      bytes: body,
      contentType: raw.headers['content-type'],
      target: { group: kind.group, version: kind.version, kind: kind.kind, schema: schemaOf(kind.schema) },
      validation: fieldValidationOf(info.query),
      isKnown: this.#options.registry.isKnown,
      warnings,
    });
    object.metadata ??= {};
    const answer = await kind.answer(object, { user, namespace: info.namespace });
    return encode(201, answer, { ...accept, representation: 'object' });
  }

  /** A namespaced kind is written below a namespace, a cluster-wide one never. */
  #checkScope({ kind }: ServedKind, info: RequestInfo): void {
    if (kind.namespaced) {
      const reading = info.verb === 'list' || info.verb === 'watch';
      if (!info.namespace && (info.name || !reading)) throw info.name ? noSuchPath() : methodNotAllowed();
    } else if (info.namespace && kind.plural !== 'namespaces') throw noSuchPath();
    if (!info.name && (info.verb === 'update' || info.verb === 'patch')) throw methodNotAllowed();
  }

  async #subresource(
    request: ResourceRequest,
    begin: (code: number, headers: Record<string, string>) => ServerResponse,
  ): Promise<Answer | undefined> {
    const { info } = request;
    const resource = info.group ? `${info.resource}.${info.group}` : info.resource;
    const subresource = this.#subresources.get(`${resource}/${info.subresource}`);
    if (!subresource) throw noSuchPath();
    if (!subresource.verbs.includes(info.verb)) throw methodNotAllowed();
    return subresource.handle(request, this.#options, begin);
  }
}
