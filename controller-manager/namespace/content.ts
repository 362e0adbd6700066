import type { KubeObject } from '../../api/object.ts';
import { type ApiClient, metadataOnly } from '../../client/api-client.ts';
import { isNotFound, StatusError } from '../../client/status-error.ts';
import { type DiscoveredResource, discover, resourceName } from '../common/discovery.ts';
import type { ContentReport } from './plan.ts';

/** The server serves the resource no more, or not by this verb. */
const isNotServed = (error: unknown): boolean =>
  isNotFound(error) || (error instanceof StatusError && error.code === 405);

/**
 * Deletes all that is in a namespace and reports what is left. Pods go first and alone: what they use
 * (configuration, policies) outlives them. https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/
 */
export async function deleteContent(client: ApiClient, namespace: string): Promise<ContentReport> {
  const { resources, failures } = await discover(client);
  const remaining = new Map<string, number>();
  const finalizers = new Map<string, number>();
  const deletionFailures: string[] = [];
  const clear = async (resource: DiscoveredResource): Promise<void> => {
    try {
      const items = await deleteAll(client, resource, namespace);
      if (items.length > 0) remaining.set(resourceName(resource), items.length);
      for (const finalizer of items.flatMap((item) => item.metadata?.finalizers ?? []))
        finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1);
    } catch (error) {
      if (!isNotServed(error)) deletionFailures.push((error as Error).message);
    }
  };
  const deletable = resources.filter(({ namespaced, verbs }) => namespaced && verbs.includes('delete'));
  const isPods = ({ group, plural }: DiscoveredResource) => group === '' && plural === 'pods';
  await Promise.all(deletable.filter(isPods).map(clear));
  if (remaining.size === 0 && deletionFailures.length === 0)
    await Promise.all(deletable.filter((resource) => !isPods(resource)).map(clear));
  return { discoveryFailures: failures, deletionFailures, remaining, finalizers };
}

/** Deletes what is there and returns what is still there afterwards. */
async function deleteAll(
  client: ApiClient,
  resource: DiscoveredResource,
  namespace: string,
): Promise<KubeObject[]> {
  const list = async () => {
    if (!resource.verbs.includes('list')) return [];
    return (await client.list(resource, { namespace }, metadataOnly)).items;
  };
  const before = await list();
  if (resource.verbs.includes('list') && before.length === 0) return [];
  const policy = { propagationPolicy: 'Background' };
  if (resource.verbs.includes('deletecollection'))
    await client.deleteCollection(resource, { namespace }, policy);
  else
    for (const { metadata } of before)
      await client
        .delete(resource, { name: metadata?.name ?? '', namespace }, policy)
        .catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
  return list();
}
