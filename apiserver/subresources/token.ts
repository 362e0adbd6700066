import { invalid as invalidField, notSupported } from '../../api/field-error.ts';
import type { KubeObject } from '../../api/object.ts';
import { pods, secrets } from '../../api/resources.ts';
import { schemaOf } from '../../api/schema/kubernetes.ts';
import type { BoundObjectReference, TokenRequest } from '../../api/types/authentication-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { BoundReference, ServiceAccountTokens } from '../authn/service-account-tokens.ts';
import { storeKey } from '../registry/object-writer.ts';
import { badRequest, conflict, invalid, notFound } from '../rest/api-error.ts';
import { decodeBody, fieldValidationOf } from '../rest/body.ts';
import { encode } from '../rest/represent.ts';
import type { Subresource, SubresourceContext } from './subresource.ts';

const tokenRequest = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenRequest',
  plural: 'tokenrequests',
};
const shortest = 600;
const longest = 2 ** 32;
const usual = 3600;

const referenceOf = (object: KubeObject): BoundReference => ({
  name: object.metadata?.name ?? '',
  uid: object.metadata?.uid ?? '',
});

/** The object that the token is to be bound to. @throws {ApiError} 404 or 409 */
async function boundObject(
  context: SubresourceContext,
  namespace: string,
  reference: BoundObjectReference,
): Promise<KubeObject> {
  const resource = reference.kind === 'Pod' ? pods : secrets;
  const served = context.registry.builtIn(resource);
  const name = reference.name ?? '';
  const key = `${namespace}/${name}`;
  const entry = served.cache.get(key) ?? (await context.storage.read(served.path, key));
  if (!entry) throw notFound(resource, name);
  const object = entry.parse();
  if (reference.uid && reference.uid !== object.metadata?.uid)
    throw conflict(
      resource,
      name,
      `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  return object;
}

/** `serviceaccounts/token`: issues a token. */
export const tokenSubresource = (tokens: ServiceAccountTokens): Subresource => ({
  resource: 'serviceaccounts',
  name: 'token',
  kind: 'TokenRequest',
  group: 'authentication.k8s.io',
  version: 'v1',
  verbs: ['create'],
  async handle(request, context) {
    const { info, body, headers, warnings, served, accept } = request;
    const wanted = await decodeBody<TokenRequest>({
      bytes: body,
      contentType: headers['content-type'],
      target: { ...tokenRequest, schema: schemaOf('io.k8s.api.authentication.v1.TokenRequest') },
      validation: fieldValidationOf(info.query),
      isKnown: context.registry.isKnown,
      warnings,
    });
    const spec = wanted.spec ?? {};
    const audiences = spec.audiences?.length ? spec.audiences : [...tokens.audiences];
    const expirationSeconds = spec.expirationSeconds ?? usual;
    const field = 'spec.expirationSeconds';
    const problems = [];
    if (expirationSeconds < shortest)
      problems.push(
        invalidField(field, expirationSeconds, 'may not specify a duration less than 10 minutes'),
      );
    if (expirationSeconds > longest)
      problems.push(
        invalidField(field, expirationSeconds, 'may not specify a duration larger than 2^32 seconds'),
      );
    const reference = spec.boundObjectRef;
    if (reference && reference.kind !== 'Pod' && reference.kind !== 'Secret')
      problems.push(notSupported('spec.boundObjectRef.kind', reference.kind, ['Pod', 'Secret']));
    if (problems.length) throw invalid(tokenRequest, '', problems);
    if (!tokens.canSign) throw badRequest('this server has no key to sign service account tokens with');

    const key = storeKey(served, info.namespace, info.name);
    const entry = served.cache.get(key) ?? (await context.storage.read(served.path, key));
    if (!entry) throw notFound(served.kind, info.name);
    const bound = reference && (await boundObject(context, info.namespace, reference));
    const nodeName = reference?.kind === 'Pod' ? (bound as Pod).spec?.nodeName : undefined;
    if (reference?.kind === 'Pod' && ((bound as Pod).spec?.serviceAccountName ?? 'default') !== info.name)
      throw badRequest(
        `cannot bind token for serviceaccount "${info.name}" to pod running with different serviceaccount name.`,
      );
    const now = Date.now();
    const token = await tokens.sign(
      {
        namespace: info.namespace,
        account: referenceOf(entry.parse()),
        audiences,
        expirationSeconds,
        ...(bound && reference?.kind === 'Pod' && { pod: referenceOf(bound) }),
        ...(bound && reference?.kind === 'Secret' && { secret: referenceOf(bound) }),
        ...(nodeName && { node: { name: nodeName, uid: '' } }),
      },
      now,
    );
    const expires = new Date((Math.floor(now / 1000) + expirationSeconds) * 1000);
    return encode(
      201,
      {
        kind: 'TokenRequest',
        apiVersion: 'authentication.k8s.io/v1',
        metadata: { name: info.name, namespace: info.namespace, creationTimestamp: null },
        spec: { audiences, expirationSeconds, boundObjectRef: reference ?? null },
        status: { token, expirationTimestamp: `${expires.toISOString().slice(0, 19)}Z` },
      },
      { ...accept, representation: 'object' },
    );
  },
});
