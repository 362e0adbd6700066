import type { Codec } from '../../api/etcd/codec.ts';
import * as messages from '../../api/etcd/messages.ts';
import { errors } from '../errors.ts';
import { type Method, type Service, unary } from '../grpc/service.ts';
import { Code, GrpcError } from '../grpc/status.ts';
import { header, type StoreContext } from './context.ts';

/** Users and roles are not kept here: client certificates say who may connect. */
const refusal = () =>
  new GrpcError(
    Code.unimplemented,
    'etcdserver: authentication by users and roles is not supported; use client certificates (--client-cert-auth)',
  );

/** etcd's Auth service: says that authentication is off, and refuses to turn it on. */
export function authService(context: StoreContext): Service {
  const refused = (request: Codec<never>, response: Codec<never>): Method =>
    unary(request, response, () => {
      throw refusal();
    });
  const pair = (name: string): Method => {
    const codecs = messages as unknown as Record<string, Codec<never>>;
    return refused(codecs[`Auth${name}Request`]!, codecs[`Auth${name}Response`]!);
  };
  const names = ['UserAdd', 'UserGet', 'UserDelete', 'UserChangePassword', 'UserGrantRole'];
  names.push('UserRevokeRole', 'RoleAdd', 'RoleGet', 'RoleDelete', 'RoleGrantPermission');
  names.push('RoleRevokePermission');
  return {
    name: 'etcdserverpb.Auth',
    methods: {
      AuthEnable: pair('Enable'),
      AuthDisable: unary(messages.AuthDisableRequest, messages.AuthDisableResponse, () => ({
        header: header(context),
      })),
      AuthStatus: unary(messages.AuthStatusRequest, messages.AuthStatusResponse, () => ({
        header: header(context),
        enabled: false,
        authRevision: 1,
      })),
      Authenticate: unary(messages.AuthenticateRequest, messages.AuthenticateResponse, () => {
        throw errors.authNotEnabled();
      }),
      UserList: unary(messages.AuthUserListRequest, messages.AuthUserListResponse, () => ({
        header: header(context),
      })),
      RoleList: unary(messages.AuthRoleListRequest, messages.AuthRoleListResponse, () => ({
        header: header(context),
      })),
      ...Object.fromEntries(names.map((name) => [name, pair(name)])),
    },
  };
}
