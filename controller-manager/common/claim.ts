import { type KubeObject, keyOf, type Resource } from '../../api/object.ts';
import type { Selector } from '../../api/selectors.ts';
import type { ApiClient } from '../../client/api-client.ts';
import { isInvalid, isNotFound } from '../../client/status-error.ts';
import { controllerReference, planClaim } from './owner-references.ts';

export interface ClaimOptions<O extends KubeObject, T extends KubeObject> {
  client: ApiClient;
  owner: O;
  ownerResource: Resource<O>;
  resource: Resource<T>;
  selector: Selector;
  /** From the informer: everything of the namespace that the owner controls or that has no controller. */
  candidates: Iterable<T>;
  /** Finalizers that an adopted object gets in the same write. */
  finalizers?: readonly string[];
}

const key = (object: KubeObject) => ({
  name: object.metadata?.name ?? '',
  ...(object.metadata?.namespace && { namespace: object.metadata.namespace }),
});

/**
 * Brings owner references in line with the selector and returns what the owner controls afterwards.
 *
 * Before the first adoption the owner is read live: one that was deleted meanwhile (or deleted and created
 * anew under its name) must not adopt. Writes carry the object's uid, so a namesake is never touched.
 * @throws {Error} when an adoption fails; what could be claimed is claimed first.
 */
export async function claim<O extends KubeObject, T extends KubeObject>(
  options: ClaimOptions<O, T>,
): Promise<T[]> {
  const { client, owner, resource } = options;
  const plan = planClaim(owner, options.selector, options.candidates);
  const failures: unknown[] = [];
  const claimed = [...plan.owned];
  if (plan.adopt.length > 0) {
    try {
      await checkOwnerLives(options);
      for (const object of plan.adopt) claimed.push(await adopt(options, object));
    } catch (error) {
      // The object went away under us: nothing to adopt, and the informer will say so.
      if (!isNotFound(error)) failures.push(error);
    }
  }
  for (const object of plan.release) {
    const patch = {
      metadata: {
        uid: object.metadata?.uid,
        ownerReferences: [{ $patch: 'delete', uid: owner.metadata?.uid }],
      },
    };
    try {
      await client.patch(resource, key(object), { type: 'strategic', body: patch });
    } catch (error) {
      // Gone, or replaced by a namesake: released either way.
      if (!isNotFound(error) && !isInvalid(error)) failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return claimed;
}

async function checkOwnerLives<O extends KubeObject, T extends KubeObject>(
  options: ClaimOptions<O, T>,
): Promise<void> {
  const { owner, ownerResource } = options;
  const live = await options.client.get(ownerResource, key(owner));
  if (live.metadata?.uid !== owner.metadata?.uid)
    throw new Error(
      `original ${ownerResource.kind} ${keyOf(owner)} is gone: got uid ${live.metadata?.uid}, wanted ${owner.metadata?.uid}`,
    );
  if (live.metadata?.deletionTimestamp)
    throw new Error(`${keyOf(owner)} has just been deleted at ${live.metadata.deletionTimestamp}`);
}

function adopt<O extends KubeObject, T extends KubeObject>(
  options: ClaimOptions<O, T>,
  object: T,
): Promise<T> {
  const metadata = {
    uid: object.metadata?.uid,
    ownerReferences: [controllerReference(options.owner, options.ownerResource)],
    ...(options.finalizers?.length && { finalizers: options.finalizers }),
  };
  return options.client.patch(options.resource, key(object), { type: 'strategic', body: { metadata } });
}
