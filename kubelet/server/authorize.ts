import type { TLSSocket } from 'node:tls';
import { HttpError } from './http-error.ts';

/** Who a client certificate says the caller is: common name and organizations. */
export interface Identity {
  name: string;
  groups: string[];
}

/** The apiserver's client identity, made with the cluster's certificates. */
const apiserver = 'kube-apiserver-kubelet-client';
const masters = 'system:masters';

/** Undefined without a certificate that the cluster's CA has signed. */
export function identityOf(socket: TLSSocket): Identity | undefined {
  if (!socket.authorized) return undefined;
  const { CN, O } = socket.getPeerCertificate().subject ?? {};
  const name = [CN].flat()[0];
  return name ? { name, groups: [O ?? []].flat() } : undefined;
}

/**
 * The kubelet's API gives whoever may use it the power over every pod of the node: the apiserver and
 * administrators only. https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/
 * @throws {HttpError} 401 for nobody, 403 for somebody else
 */
export function authorize(identity: Identity | undefined, verb: string): void {
  if (!identity) throw new HttpError(401, 'Unauthorized');
  if (identity.name === apiserver || identity.groups.includes(masters)) return;
  const user = JSON.stringify(identity.name);
  throw new HttpError(403, `Forbidden (user=${user}, verb=${verb}, resource=nodes, subresource=proxy)`);
}
