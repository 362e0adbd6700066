import { setCondition } from '../../api/conditions.ts';
import { notSupported, required } from '../../api/field-error.ts';
import { schemaOf } from '../../api/schema/kubernetes.ts';
import type { Binding, Pod } from '../../api/types/core-v1.ts';
import { json } from '../rest/answer.ts';
import { badRequest, conflict, invalid } from '../rest/api-error.ts';
import { decodeBody, fieldValidationOf } from '../rest/body.ts';
import { dryRunOf } from '../rest/write-handlers.ts';
import { type Subresource, success } from './subresource.ts';

const bindingKind = { group: '', version: 'v1', kind: 'Binding', plural: 'pods/binding' };

/** Puts a pod on a node; in place. @throws {ApiError} 409 if it is on one already, or being deleted */
export function bind(pod: Pod, binding: Binding, now: string): void {
  const name = pod.metadata?.name ?? '';
  const { uid } = binding.metadata ?? {};
  if (uid && uid !== pod.metadata?.uid)
    throw conflict(
      bindingKind,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata?.uid}`,
    );
  if (pod.metadata?.deletionTimestamp)
    throw conflict(bindingKind, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  if (pod.spec?.nodeName)
    throw conflict(bindingKind, name, `pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
  if (pod.spec?.schedulingGates?.length)
    throw conflict(bindingKind, name, `pod ${name} has non-empty .spec.schedulingGates`);
  pod.spec!.nodeName = binding.target.name!;
  const annotations = binding.metadata?.annotations;
  if (annotations) pod.metadata!.annotations = { ...pod.metadata!.annotations, ...annotations };
  pod.status ??= {};
  pod.status.conditions = setCondition(pod.status.conditions, { type: 'PodScheduled', status: 'True' }, now);
  for (const condition of pod.status.conditions)
    if (condition.type === 'PodScheduled') {
      delete condition.reason;
      delete condition.message;
    }
}

/** `pods/binding`: what the scheduler posts. */
export const binding: Subresource = {
  resource: 'pods',
  name: 'binding',
  kind: 'Binding',
  verbs: ['create'],
  async handle(request, { writer, registry }) {
    const { info, body, headers, warnings, served, user } = request;
    const wanted = await decodeBody<Binding>({
      bytes: body,
      contentType: headers['content-type'],
      target: { ...bindingKind, schema: schemaOf('io.k8s.api.core.v1.Binding') },
      validation: fieldValidationOf(info.query),
      isKnown: registry.isKnown,
      warnings,
    });
    if (wanted.metadata?.name && wanted.metadata.name !== info.name)
      throw badRequest('name in URL does not match name in Binding object');
    const { kind = '', name = '' } = wanted.target ?? {};
    const problems = [];
    if (kind !== '' && kind !== 'Node') problems.push(notSupported('target.kind', kind, ['Node', '<empty>']));
    if (!name) problems.push(required('target.name'));
    if (problems.length) throw invalid(bindingKind, info.name, problems);
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    await writer.change(
      served,
      { namespace: info.namespace, name: info.name, subresource: 'binding' },
      (pod) => bind(pod as Pod, wanted, now),
      { user, dryRun: dryRunOf(request) },
    );
    return json(201, success(201));
  },
};
