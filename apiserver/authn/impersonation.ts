import type { IncomingHttpHeaders } from 'node:http';
import { badRequest } from '../rest/api-error.ts';
import type { User } from '../rest/request-context.ts';
import type { RequestInfo } from '../rest/request-info.ts';
import type { Authorizer } from '../server.ts';
import { authenticated } from './authenticator.ts';

const extraPrefix = 'impersonate-extra-';
const accountPrefix = 'system:serviceaccount:';

const listOf = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : [value].flat().flatMap((text) => text.split(',').map((item) => item.trim()));

/** Whom the headers name; undefined if they name nobody. @throws {ApiError} 400 for groups without a user */
export function impersonated(headers: IncomingHttpHeaders): User | undefined {
  const name = headers['impersonate-user'];
  const groups = listOf(headers['impersonate-group']);
  const uid = headers['impersonate-uid'];
  const extra: Record<string, string[]> = {};
  for (const [header, value] of Object.entries(headers))
    if (header.startsWith(extraPrefix))
      extra[decodeURIComponent(header.slice(extraPrefix.length))] = listOf(value);
  if (typeof name !== 'string' || !name) {
    if (groups.length || uid || Object.keys(extra).length)
      throw badRequest('requested impersonation of groups, uid or extra without impersonating a user');
    return undefined;
  }
  const user: User = { name, groups };
  if (typeof uid === 'string') user.uid = uid;
  if (Object.keys(extra).length) user.extra = extra;
  return user;
}

const asked = (
  group: string,
  resource: string,
  name: string,
  namespace = '',
  subresource = '',
): RequestInfo => ({
  method: 'IMPERSONATE',
  path: '',
  query: new URLSearchParams(),
  isResource: true,
  verb: 'impersonate',
  group,
  version: 'v1',
  namespace,
  resource,
  subresource,
  name,
  rest: [],
});

/**
 * The user that a request counts as: whom it impersonates, if it asks for that and may.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
 * @throws {ApiError} 400 or 403
 */
export function effectiveUser(user: User, headers: IncomingHttpHeaders, authorizer: Authorizer): User {
  const wanted = impersonated(headers);
  if (!wanted) return user;
  const [namespace, account] = wanted.name.startsWith(accountPrefix)
    ? wanted.name.slice(accountPrefix.length).split(':')
    : [];
  if (namespace && account) authorizer.authorize(user, asked('', 'serviceaccounts', account, namespace));
  else authorizer.authorize(user, asked('', 'users', wanted.name));
  for (const group of wanted.groups) authorizer.authorize(user, asked('', 'groups', group));
  const identity = 'authentication.k8s.io';
  if (wanted.uid) authorizer.authorize(user, asked(identity, 'uids', wanted.uid));
  for (const [key, values] of Object.entries(wanted.extra ?? {}))
    for (const value of values) authorizer.authorize(user, asked(identity, 'userextras', value, '', key));
  if (namespace && account && !wanted.groups.length)
    wanted.groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
  if (!wanted.groups.includes(authenticated)) wanted.groups.push(authenticated);
  return wanted;
}
