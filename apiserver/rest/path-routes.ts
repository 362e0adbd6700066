import type { IncomingMessage } from 'node:http';
import {
  aggregated,
  coreVersions,
  groupList,
  type ListedSubresource,
  oneGroup,
  resourceList,
} from '../discovery/discovery.ts';
import { OpenAPIRoutes } from '../openapi/openapi-routes.ts';
import type { KindRegistry } from '../registry/kind-registry.ts';
import type { PathRoutes } from '../server.ts';
import { type Answer, json, text } from './answer.ts';
import { methodNotAllowed } from './api-error.ts';
import type { RequestInfo } from './request-info.ts';

export interface PathRoutesOptions {
  registry: KindRegistry;
  subresources: readonly ListedSubresource[];
  /** `host:port` under which clients reach this server. */
  address: string;
  version: object;
  metrics(): string;
  tokens: { jwks(): object; discovery(address: string): object };
  /** Named conditions; a text says what is wrong. */
  checks: readonly { name: string; check(): string | undefined; readinessOnly?: boolean }[];
}

const health = new Set(['healthz', 'livez', 'readyz']);
const roots = [
  '/.well-known/openid-configuration',
  '/api',
  '/apis',
  '/healthz',
  '/livez',
  '/metrics',
  '/openapi/v2',
  '/openapi/v3',
  '/openid/v1/jwks',
  '/readyz',
  '/version',
];

/** Everything that is not a resource: discovery, version, health. */
export class NonResourceRoutes implements PathRoutes {
  readonly #options: PathRoutesOptions;
  readonly #openapi: OpenAPIRoutes;

  constructor(options: PathRoutesOptions) {
    this.#options = options;
    this.#openapi = new OpenAPIRoutes(options.registry);
  }

  isPublic(path: string): boolean {
    return path === '/version' || health.has(path.split('/')[1] ?? '');
  }

  async handle(info: RequestInfo, request: IncomingMessage): Promise<Answer | undefined> {
    if (info.method !== 'GET' && info.method !== 'HEAD') throw methodNotAllowed();
    const { registry, version, address } = this.#options;
    const parts = info.path.split('/').filter(Boolean);
    const [root, group, groupVersion] = parts;
    if (root !== undefined && health.has(root)) return this.#health(root, parts.slice(1), info.query);
    if (parts.length === 0) return json(200, { paths: roots });
    if (root === 'version' && parts.length === 1) return json(200, version);
    if (root === 'api' && parts.length === 1)
      return this.#aggregated(request, true) ?? json(200, coreVersions(address));
    if (root === 'apis' && parts.length === 1)
      return this.#aggregated(request, false) ?? json(200, groupList(registry));
    if (root === 'openapi') return this.#openapi.handle(info.path, info.query, request.headers.accept);
    if (info.path === '/metrics')
      return {
        ...text(200, this.#options.metrics()),
        contentType: 'text/plain; version=0.0.4; charset=utf-8',
      };
    if (info.path === '/openid/v1/jwks')
      return { ...json(200, this.#options.tokens.jwks()), contentType: 'application/jwk-set+json' };
    if (info.path === '/.well-known/openid-configuration')
      return json(200, this.#options.tokens.discovery(address));
    const found =
      root === 'api' && parts.length === 2
        ? resourceList(this.#options, '', group!)
        : root === 'apis' && parts.length === 2
          ? oneGroup(registry, group!)
          : root === 'apis' && parts.length === 3
            ? resourceList(this.#options, group!, groupVersion!)
            : undefined;
    return found && json(200, found);
  }

  #aggregated(request: IncomingMessage, core: boolean): Answer | undefined {
    for (const clause of (request.headers.accept ?? '').split(',')) {
      if (!/as=APIGroupDiscoveryList/.test(clause) || !/application\/json/.test(clause)) continue;
      const version = /v=(v2beta1|v2)(?:;|$|\s)/.exec(clause)?.[1] as 'v2' | 'v2beta1' | undefined;
      if (!version) continue;
      const type = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
      return { ...json(200, aggregated(this.#options, core, version)), contentType: type };
    }
    return undefined;
  }

  #health(root: string, rest: readonly string[], query: URLSearchParams): Answer | undefined {
    const excluded = new Set(query.getAll('exclude'));
    const checks = this.#options.checks.filter(
      (check) =>
        (root !== 'livez' || !check.readinessOnly) &&
        !excluded.has(check.name) &&
        (!rest.length || rest[0] === check.name),
    );
    if (rest.length && !checks.length) return undefined;
    const results = checks.map(({ name, check }) => ({ name, problem: check() }));
    const failed = results.filter((result) => result.problem !== undefined);
    const verdict = `${root} check ${failed.length ? 'failed' : 'passed'}\n`;
    if (!failed.length && !query.has('verbose')) return text(200, 'ok');
    const lines = results.map(({ name, problem }) =>
      problem === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${problem}\n`,
    );
    return text(failed.length ? 500 : 200, lines.join('') + verdict);
  }
}
