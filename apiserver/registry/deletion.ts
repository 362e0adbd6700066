import type { KubeObject } from '../../api/object.ts';
import type { DeleteOptions } from '../../api/types/meta-v1.ts';
import { conflict } from '../rest/api-error.ts';
import type { KindDeclaration } from './kind.ts';

/** What a DELETE request does to an object. */
export type DeletionPlan =
  | { action: 'remove' }
  /** Store `object`: marked for deletion, waiting for a component or a finalizer. */
  | { action: 'mark'; object: KubeObject }
  /** It is being deleted already, and the request changes nothing. */
  | { action: 'keep' };

const orphan = 'orphan';
const foreground = 'foregroundDeletion';

/** Which garbage-collection finalizers the request leaves on the object. */
function finalizersAfter(
  kind: KindDeclaration,
  finalizers: readonly string[],
  { propagationPolicy, orphanDependents }: DeleteOptions,
): string[] {
  const others = finalizers.filter((item) => item !== orphan && item !== foreground);
  if (propagationPolicy === 'Orphan' || orphanDependents === true) return [...others, orphan];
  if (propagationPolicy === 'Foreground') return [...others, foreground];
  if (propagationPolicy === 'Background' || orphanDependents === false) return others;
  // The request does not say: what was asked for before stays, else the kind's default.
  if (finalizers.length !== others.length) return [...finalizers];
  return kind.defaultDeletionPropagation === 'orphan' ? [...others, orphan] : others;
}

const rfc3339 = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;

/**
 * Decides a deletion: preconditions, grace period, finalizers. `object` is the caller's copy and may be changed.
 * https://kubernetes.io/docs/concepts/architecture/garbage-collection/
 * @throws {ApiError} 409 if a precondition does not hold
 */
export function planDeletion(input: {
  kind: KindDeclaration;
  object: KubeObject;
  request: DeleteOptions;
  now: number;
}): DeletionPlan {
  const { kind, object, request, now } = input;
  object.metadata ??= {};
  const meta = object.metadata;
  const name = meta.name ?? '';
  const { uid, resourceVersion } = request.preconditions ?? {};
  if (uid !== undefined && uid !== meta.uid)
    throw conflict(
      kind,
      name,
      `the UID in the precondition (${uid}) does not match the UID in record (${meta.uid}). The object might have been deleted and then recreated`,
    );
  if (resourceVersion !== undefined && resourceVersion !== meta.resourceVersion)
    throw conflict(
      kind,
      name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${meta.resourceVersion}). The object might have been modified`,
    );

  const before = meta.finalizers ?? [];
  const finalizers = finalizersAfter(kind, before, request);
  const finalizersChanged =
    finalizers.length !== before.length || finalizers.some((item, index) => item !== before[index]);
  const heldByKind =
    kind.group === '' &&
    kind.plural === 'namespaces' &&
    !!(object as { spec?: { finalizers?: string[] } }).spec?.finalizers?.length;
  const grace = kind.gracePeriodSeconds?.(object, request.gracePeriodSeconds) ?? 0;

  if (meta.deletionTimestamp) {
    const left = meta.deletionGracePeriodSeconds ?? 0;
    const shorter = request.gracePeriodSeconds !== undefined && grace < left;
    if (grace === 0 && (shorter || left === 0) && !finalizers.length && !heldByKind)
      return { action: 'remove' };
    if (!shorter && !finalizersChanged) return { action: 'keep' };
    if (shorter) {
      const began = Date.parse(meta.deletionTimestamp) - left * 1000;
      meta.deletionTimestamp = rfc3339(began + grace * 1000);
      meta.deletionGracePeriodSeconds = grace;
    }
    setFinalizers(object, finalizers);
    return { action: 'mark', object };
  }

  if (grace === 0 && !finalizers.length && !heldByKind) return { action: 'remove' };
  meta.deletionTimestamp = rfc3339(now + grace * 1000);
  meta.deletionGracePeriodSeconds = grace;
  // Deletion counts as a change of what is wanted.
  if (meta.generation) meta.generation++;
  if (kind.group === '' && kind.plural === 'namespaces')
    (object as { status?: { phase?: string } }).status = {
      ...(object as { status?: object }).status,
      phase: 'Terminating',
    };
  setFinalizers(object, finalizers);
  return { action: 'mark', object };
}

function setFinalizers(object: KubeObject, finalizers: string[]): void {
  if (finalizers.length) object.metadata!.finalizers = finalizers;
  else delete object.metadata!.finalizers;
}
