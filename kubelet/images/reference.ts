/** An image name taken apart; `name` is what to give the engine, with `:latest` where nothing else is said. */
export interface ImageReference {
  name: string;
  /** Registry host, with its port: `docker.io` when the name has none. */
  domain: string;
  /** Path in the registry: `library/busybox` for `busybox`. */
  path: string;
  tag?: string;
  digest?: string;
}

const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const domainPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const pathPattern = new RegExp(`^${component}(?:/${component})*$`);
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;

/**
 * Reads an image name as Docker does: `[domain/]path[:tag][@digest]`.
 * https://github.com/distribution/reference/blob/main/reference.go
 * @throws {Error} with Docker's words (`invalid reference format …`).
 */
export function parseImageReference(text: string): ImageReference {
  if (/^[a-f0-9]{64}$/.test(text))
    throw new Error(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  const invalid = (why = '') => new Error(`invalid reference format${why}`);
  const [beforeDigest, digest, ...more] = text.split('@');
  if (!beforeDigest || more.length || (digest !== undefined && !digestPattern.test(digest))) throw invalid();
  const colon = beforeDigest.lastIndexOf(':');
  const tagged = colon > beforeDigest.lastIndexOf('/');
  const tag = tagged ? beforeDigest.slice(colon + 1) : undefined;
  const repository = tagged ? beforeDigest.slice(0, colon) : beforeDigest;
  if (tag !== undefined && !tagPattern.test(tag)) throw invalid();
  const slash = repository.indexOf('/');
  const first = repository.slice(0, Math.max(slash, 0));
  const isDomain =
    slash > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const domain = isDomain ? (first === 'index.docker.io' ? 'docker.io' : first) : 'docker.io';
  const rest = isDomain ? repository.slice(slash + 1) : repository;
  const path = domain === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest;
  if (!pathPattern.test(path)) {
    const lower = pathPattern.test(path.toLowerCase());
    throw invalid(lower ? `: repository name (${path}) must be lowercase` : '');
  }
  if (!domainPattern.test(domain)) throw invalid();
  if (domain.length + 1 + path.length > 255)
    throw new Error('repository name must not be more than 255 characters');
  const name = tag === undefined && digest === undefined ? `${text}:latest` : text;
  return { name, domain, path, tag: name === text ? tag : 'latest', digest };
}
