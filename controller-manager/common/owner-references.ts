import { apiVersionOf, type KubeObject, type Resource } from '../../api/object.ts';
import type { Selector } from '../../api/selectors.ts';
import type { OwnerReference } from '../../api/types/meta-v1.ts';

/**
 * Who manages an object. At most one of its owner references has `controller: true`.
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/
 */
export const controllerOf = (object: KubeObject): OwnerReference | undefined =>
  object.metadata?.ownerReferences?.find((reference) => reference.controller === true);

/** The reference that makes `owner` the managing controller of a dependent. */
export const controllerReference = (owner: KubeObject, resource: Resource): OwnerReference => ({
  apiVersion: apiVersionOf(resource),
  kind: resource.kind,
  name: owner.metadata?.name ?? '',
  uid: owner.metadata?.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
});

export interface ClaimPlan<T> {
  /** Already controlled by the owner, and matching. */
  owned: T[];
  /** Match, have no controller: to be adopted. */
  adopt: T[];
  /** Controlled by the owner, but match no longer: to be released. */
  release: T[];
}

/**
 * Sorts candidates by what the owner's selector says about them. Never takes an object from another
 * controller. An owner that is being deleted neither adopts nor releases, and keeps what it has only for
 * its status.
 */
export function planClaim<T extends KubeObject>(
  owner: KubeObject,
  selector: Selector,
  candidates: Iterable<T>,
): ClaimPlan<T> {
  const plan: ClaimPlan<T> = { owned: [], adopt: [], release: [] };
  const deleting = owner.metadata?.deletionTimestamp !== undefined;
  for (const candidate of candidates) {
    const controller = controllerOf(candidate);
    const matches = selector.matches(candidate.metadata?.labels);
    if (controller) {
      if (controller.uid !== owner.metadata?.uid) continue;
      if (matches) plan.owned.push(candidate);
      else if (!deleting) plan.release.push(candidate);
    } else if (matches && !deleting && !candidate.metadata?.deletionTimestamp) plan.adopt.push(candidate);
  }
  return plan;
}
