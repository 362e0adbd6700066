/** What a request asks for, read from its method and path alone. */
export interface RequestInfo {
  method: string;
  path: string;
  query: URLSearchParams;
  /** False for paths outside `/api/VERSION` and `/apis/GROUP/VERSION`. */
  isResource: boolean;
  /** `get list watch create update patch delete deletecollection`; for other paths the method in lower case. */
  verb: string;
  group: string;
  version: string;
  namespace: string;
  resource: string;
  subresource: string;
  name: string;
  /** Path segments after the subresource (`nodes/x/proxy/THESE/ONES`). */
  rest: readonly string[];
}

const verbs: Record<string, string> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

// Below a namespace these are subresources of the namespace, not resources in it.
const namespaceSubresources = new Set(['status', 'finalize']);

const isTrue = (value: string | null): boolean => value !== null && /^(true|1|t|)$/i.test(value);

/**
 * Reads a URL as Kubernetes' RequestInfoFactory does.
 * @throws {URIError} if a segment is not valid percent-encoding
 */
export function parseRequest(method: string, url: string): RequestInfo {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
  const info: RequestInfo = {
    method,
    path,
    query,
    isResource: false,
    verb: method.toLowerCase(),
    group: '',
    version: '',
    namespace: '',
    resource: '',
    subresource: '',
    name: '',
    rest: [],
  };
  let parts = path.split('/');
  parts =
    parts[0] === '' && !path.includes('//') && !path.endsWith('/') ? parts.slice(1) : parts.filter(Boolean);
  if (path.includes('%')) parts = parts.map(decodeURIComponent);
  const root = parts[0];
  let at: number;
  if (root === 'api' && parts.length >= 3) {
    info.version = parts[1]!;
    at = 2;
  } else if (root === 'apis' && parts.length >= 4) {
    info.group = parts[1]!;
    info.version = parts[2]!;
    at = 3;
  } else return info;
  info.isResource = true;
  info.verb = verbs[method] ?? method.toLowerCase();
  if (parts[at] === 'namespaces' && parts.length > at + 1) {
    info.namespace = parts[at + 1]!;
    if (parts.length > at + 2 && !namespaceSubresources.has(parts[at + 2]!)) at += 2;
  }
  info.resource = parts[at]!;
  info.name = parts[at + 1] ?? '';
  info.subresource = parts[at + 2] ?? '';
  info.rest = parts.slice(at + 3);
  if (!info.name) {
    if (info.verb === 'get') info.verb = isTrue(query.get('watch')) ? 'watch' : 'list';
    else if (info.verb === 'delete') info.verb = 'deletecollection';
  }
  return info;
}
