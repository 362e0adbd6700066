import { schemaOf } from '../../api/schema/kubernetes.ts';
import type { Namespace } from '../../api/types/core-v1.ts';
import { badRequest, conflict, optimisticLock } from '../rest/api-error.ts';
import { decodeBody, fieldValidationOf } from '../rest/body.ts';
import { representObject } from '../rest/represent.ts';
import { dryRunOf } from '../rest/write-handlers.ts';
import type { Subresource } from './subresource.ts';

/** `namespaces/finalize`: how the namespace controller gives up its hold on a namespace. */
export const finalize: Subresource = {
  resource: 'namespaces',
  name: 'finalize',
  kind: 'Namespace',
  verbs: ['update'],
  async handle(request, { writer, registry }) {
    const { info, body, headers, warnings, served, user, accept } = request;
    const wanted = await decodeBody<Namespace>({
      bytes: body,
      contentType: headers['content-type'],
      target: { ...served.kind, schema: schemaOf(served.kind.schema) },
      validation: fieldValidationOf(info.query),
      isKnown: registry.isKnown,
      warnings,
    });
    if (wanted.metadata?.name && wanted.metadata.name !== info.name)
      throw badRequest(
        `the name of the object (${wanted.metadata.name}) does not match the name on the URL (${info.name})`,
      );
    const { bytes } = await writer.change(
      served,
      { namespace: '', name: info.name, subresource: 'finalize' },
      (current) => {
        const version = wanted.metadata?.resourceVersion;
        if (version && version !== current.metadata?.resourceVersion)
          throw conflict(served.kind, info.name, optimisticLock);
        const namespace = current as Namespace;
        namespace.spec = { ...namespace.spec, finalizers: wanted.spec?.finalizers ?? [] };
      },
      { user, dryRun: dryRunOf(request) },
    );
    return representObject(served.kind, bytes, accept, { code: 200, now: Date.now() });
  },
};
