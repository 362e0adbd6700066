import { createHash } from 'node:crypto';
import { embedded, message, string } from '../../api/etcd/codec.ts';
import { definitions } from '../../api/schema/kubernetes.ts';
import type { KindRegistry } from '../registry/kind-registry.ts';
import { type Answer, json } from '../rest/answer.ts';
import { notAcceptable } from '../rest/api-error.ts';
import { documentV2, documentV3 } from './document.ts';

const types = ['application/json'];

/** Whether JSON will do for a client; OpenAPI has media types of its own for it. */
const takesJson = (accept: string | undefined): boolean =>
  !accept ||
  accept
    .split(',')
    .some(
      (clause) =>
        /^\s*(\*\/\*|application\/(json|\*|.*\+json|com\.github\.proto-openapi.*\+json))/.test(clause) &&
        !/protobuf/.test(clause),
    );

const protobufType = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
const Info = message({ title: string(1), version: string(2) });
const Members = message({});
const ProtobufDocument = message({
  swagger: string(1),
  info: embedded(2, () => Info),
  paths: embedded(8, () => Members),
  definitions: embedded(9, () => Members),
});
/**
 * What kubectl gets when it insists on OpenAPI v2 in protobuf: it does so only for kinds that v3 does not have, to
 * find that they are unknown here too.
 */
const emptyDocument = {
  swagger: '2.0',
  info: { title: 'Kubernetes', version: 'v1.34.0' },
  paths: {},
  definitions: {},
};

const hashOf = (text: string): string => createHash('sha512').update(text).digest('hex').toUpperCase();

/** `/openapi/v2` and `/openapi/v3`. Documents are built when asked for; only their hashes are kept. */
export class OpenAPIRoutes {
  readonly #registry: KindRegistry;
  #hashes: Map<string, string> | undefined;

  constructor(registry: KindRegistry) {
    this.#registry = registry;
  }

  /** Answers a path below `/openapi`; undefined if there is none. @throws {ApiError} 406 */
  handle(path: string, query: URLSearchParams, accept: string | undefined): Answer | undefined {
    const parts = path.split('/').filter(Boolean);
    if (parts[0] !== 'openapi') return undefined;
    if (parts[1] === 'v2' && parts.length === 2 && accept?.includes(protobufType) && !takesJson(accept))
      return { code: 200, contentType: protobufType, body: ProtobufDocument.encode(emptyDocument) };
    if (!takesJson(accept)) throw notAcceptable(types);
    if (parts[1] === 'v2' && parts.length === 2) {
      const kinds = this.#registry.declared();
      const body = Buffer.from(documentV2(kinds, definitions));
      return { code: 200, contentType: 'application/json', body };
    }
    if (parts[1] !== 'v3') return undefined;
    if (parts.length === 2) return json(200, this.#index());
    return this.#document(parts.slice(2).join('/'), query.get('hash'));
  }

  /** `api/v1`, `apis/apps/v1`, … */
  #groupVersions(): string[] {
    const paths = this.#registry
      .declared()
      .map((kind) => (kind.group ? `apis/${kind.group}/${kind.version}` : `api/${kind.version}`));
    return [...new Set(paths)];
  }

  #text(groupVersion: string): string {
    const [root, ...rest] = groupVersion.split('/');
    const [group, version] = root === 'api' ? ['', rest[0]] : rest;
    const kinds = this.#registry.declared();
    const own = kinds.filter((kind) => kind.group === group && kind.version === version);
    return JSON.stringify(documentV3(own, definitions));
  }

  #hashesNow(): Map<string, string> {
    this.#hashes ??= new Map(this.#groupVersions().map((name) => [name, hashOf(this.#text(name))]));
    return this.#hashes;
  }

  #index(): object {
    const paths: Record<string, object> = {};
    for (const [name, hash] of this.#hashesNow())
      paths[name] = { serverRelativeURL: `/openapi/v3/${name}?hash=${hash}` };
    return { paths };
  }

  #document(groupVersion: string, wanted: string | null): Answer | undefined {
    const hash = this.#hashesNow().get(groupVersion);
    if (!hash) return undefined;
    return {
      code: 200,
      contentType: 'application/json',
      body: Buffer.from(this.#text(groupVersion)),
      headers: {
        etag: `"${hash}"`,
        // A document under its hash never changes.
        ...(wanted === hash && { 'cache-control': 'public, immutable, max-age=31536000' }),
      },
    };
  }
}
