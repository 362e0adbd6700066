import { invalid as invalidField } from '../../api/field-error.ts';
import type { KubeObject } from '../../api/object.ts';
import { schemaOf } from '../../api/schema/kubernetes.ts';
import type { Scale } from '../../api/types/autoscaling-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { storeKey } from '../registry/object-writer.ts';
import { conflict, invalid, notFound, optimisticLock, unsupportedMediaType } from '../rest/api-error.ts';
import { decodeBody, fieldValidationOf } from '../rest/body.ts';
import { compilePatch, patchTypeOf } from '../rest/patch.ts';
import { encode } from '../rest/represent.ts';
import type { ResourceRequest } from '../rest/request-context.ts';
import { dryRunOf, managerOf } from '../rest/write-handlers.ts';
import type { Subresource, SubresourceContext } from './subresource.ts';

const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale', plural: 'scale' };
const scaleSchema = 'io.k8s.api.autoscaling.v1.Scale';

/** An object as its Scale. */
export function scaleOf(kind: KindDeclaration, object: KubeObject): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata ?? {};
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: kind.scale!.specReplicas(object) },
    status: { replicas: kind.scale!.statusReplicas(object), selector: kind.scale!.selector(object) },
  };
}

/** The wanted scale from a request, given the present one. */
async function compileChange(
  request: ResourceRequest,
  context: SubresourceContext,
): Promise<(current: Scale) => Scale> {
  const { info, headers, body, warnings } = request;
  const schema = schemaOf(scaleSchema);
  const validation = fieldValidationOf(info.query);
  if (info.verb === 'patch') {
    const type = patchTypeOf(headers['content-type']);
    if (type === 'apply') throw unsupportedMediaType(['application/merge-patch+json']);
    const apply = await compilePatch({ type, bytes: body, schema, validation, warnings });
    return (current) => apply(current) as Scale;
  }
  const wanted = await decodeBody<Scale>({
    bytes: body,
    contentType: headers['content-type'],
    target: { ...scaleKind, schema },
    validation,
    isKnown: context.registry.isKnown,
    warnings,
  });
  return () => wanted;
}

async function change(request: ResourceRequest, context: SubresourceContext): Promise<Scale> {
  const { served, info, user } = request;
  const { kind } = served;
  const apply = await compileChange(request, context);
  const { bytes } = await context.writer.update(
    served,
    { namespace: info.namespace, name: info.name, subresource: 'scale' },
    (current) => {
      const wanted = apply(scaleOf(kind, current));
      const version = wanted.metadata?.resourceVersion;
      if (version && version !== current.metadata?.resourceVersion)
        throw conflict(kind, info.name, optimisticLock);
      const replicas = wanted.spec?.replicas ?? 0;
      if (replicas < 0)
        throw invalid(scaleKind, info.name, [
          invalidField('spec.replicas', replicas, 'must be greater than or equal to 0'),
        ]);
      kind.scale!.setSpecReplicas(current, replicas);
      return current;
    },
    { user, dryRun: dryRunOf(request), manager: managerOf(request) },
  );
  return scaleOf(kind, JSON.parse(bytes.toString()) as KubeObject);
}

/** The scale subresource of a kind that declares one. */
export const scaleSubresource = (kind: KindDeclaration): Subresource => ({
  resource: kind.group ? `${kind.plural}.${kind.group}` : kind.plural,
  name: 'scale',
  kind: 'Scale',
  group: 'autoscaling',
  version: 'v1',
  verbs: ['get', 'patch', 'update'],
  async handle(request, context) {
    const { served, info, accept } = request;
    const plain = { ...accept, representation: 'object' } as const;
    if (info.verb !== 'get') return encode(200, await change(request, context), plain);
    await context.storage.consistent();
    const entry = served.cache.get(storeKey(served, info.namespace, info.name));
    if (!entry) throw notFound(served.kind, info.name);
    return encode(200, scaleOf(served.kind, entry.parse()), plain);
  },
});
