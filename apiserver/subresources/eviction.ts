import { schemaOf } from '../../api/schema/kubernetes.ts';
import type { Eviction } from '../../api/types/policy-v1.ts';
import { json } from '../rest/answer.ts';
import { badRequest } from '../rest/api-error.ts';
import { decodeBody, fieldValidationOf } from '../rest/body.ts';
import { dryRunOf } from '../rest/write-handlers.ts';
import { type Subresource, success } from './subresource.ts';

/** `pods/eviction`: a deletion that disruption budgets may refuse. */
export const eviction: Subresource = {
  resource: 'pods',
  name: 'eviction',
  kind: 'Eviction',
  group: 'policy',
  version: 'v1',
  verbs: ['create'],
  async handle(request, { writer, registry }) {
    const { info, body, headers, warnings, served, user } = request;
    const wanted = await decodeBody<Eviction>({
      bytes: body,
      contentType: headers['content-type'],
      target: {
        group: 'policy',
        version: 'v1',
        kind: 'Eviction',
        schema: schemaOf('io.k8s.api.policy.v1.Eviction'),
      },
      validation: fieldValidationOf(info.query),
      isKnown: registry.isKnown,
      warnings,
    });
    if (wanted.metadata?.name && wanted.metadata.name !== info.name)
      throw badRequest('name in URL does not match name in Eviction object');
    const options = wanted.deleteOptions ?? {};
    const dryRun = dryRunOf(request) || !!options.dryRun?.length;
    await writer.delete(served, info.namespace, info.name, options, { user, dryRun });
    return json(201, success(201));
  },
};
