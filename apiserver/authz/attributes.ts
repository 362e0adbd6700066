import { type ApiError, forbidden, forbiddenPath } from '../rest/api-error.ts';
import type { User } from '../rest/request-context.ts';
import type { RequestInfo } from '../rest/request-info.ts';

/** What somebody wants to do, as authorization sees it. */
export interface Attributes {
  user: User;
  verb: string;
  isResource: boolean;
  group: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
  path: string;
  fieldSelector: string;
}

export interface Verdict {
  allowed: boolean;
  reason?: string;
}

/** The attributes of a request. */
export function attributesOf(user: User, info: RequestInfo): Attributes {
  return {
    user,
    verb: info.verb,
    isResource: info.isResource,
    group: info.group,
    resource: info.resource,
    subresource: info.subresource,
    namespace: info.namespace,
    name: info.name,
    path: info.path,
    fieldSelector: info.query.get('fieldSelector') ?? '',
  };
}

/** Why not, in Kubernetes' words: `User "x" cannot list resource "pods" in API group "" in the namespace "default"`. */
export function refusal(attributes: Attributes): string {
  const { user, verb, group, resource, subresource, namespace, path } = attributes;
  const who = `User ${JSON.stringify(user.name)} cannot ${verb}`;
  if (!attributes.isResource) return `${who} path ${JSON.stringify(path)}`;
  const what = subresource ? `${resource}/${subresource}` : resource;
  const where = namespace ? `in the namespace ${JSON.stringify(namespace)}` : 'at the cluster scope';
  return `${who} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}`;
}

/** The 403 answer for a refused request. */
export function refusalError(attributes: Attributes, verdict: Verdict): ApiError {
  const why = refusal(attributes) + (verdict.reason ? `: ${verdict.reason}` : '');
  if (!attributes.isResource) return forbiddenPath(why);
  return forbidden({ group: attributes.group, plural: attributes.resource }, attributes.name, why);
}
