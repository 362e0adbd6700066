import type { Resource } from '../../api/object.ts';
import type { APIGroupList, APIResourceList, APIVersions } from '../../api/types/meta-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import { pathOf } from '../../client/api-client.ts';

/** A resource that the apiserver serves, in its group's preferred version. */
export interface DiscoveredResource extends Resource {
  verbs: readonly string[];
}

export interface Discovery {
  resources: DiscoveredResource[];
  /** Groups that could not be read, with why: their resources are unknown, not absent. */
  failures: { groupVersion: string; message: string }[];
}

/** https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery */
interface AggregatedDiscovery {
  kind: string;
  items: {
    metadata: { name?: string };
    versions: {
      version: string;
      freshness?: string;
      resources?: {
        resource: string;
        responseKind?: { kind?: string };
        scope: string;
        verbs: string[];
      }[];
    }[];
  }[];
}

const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** What the apiserver serves now, without subresources. @throws when the server cannot be asked at all. */
export async function discover(client: ApiClient): Promise<Discovery> {
  const found: Discovery = { resources: [], failures: [] };
  for (const path of ['/api', '/apis']) {
    const answer = await client.json<AggregatedDiscovery | APIVersions | APIGroupList>({
      method: 'GET',
      path,
      accept: `${aggregated},application/json`,
    });
    if (answer.kind === 'APIGroupDiscoveryList') readAggregated(answer as AggregatedDiscovery, found);
    else await readLegacy(client, answer as APIVersions | APIGroupList, found);
  }
  return found;
}

function readAggregated(list: AggregatedDiscovery, found: Discovery): void {
  for (const item of list.items) {
    const group = item.metadata.name ?? '';
    const seen = new Set<string>();
    // The first version that serves a resource is the preferred one.
    for (const { version, freshness, resources } of item.versions) {
      if (freshness === 'Stale')
        found.failures.push({ groupVersion: `${group}/${version}`, message: 'stale GroupVersion discovery' });
      for (const { resource, responseKind, scope, verbs } of resources ?? []) {
        if (seen.has(resource)) continue;
        seen.add(resource);
        const namespaced = scope === 'Namespaced';
        found.resources.push({
          group,
          version,
          kind: responseKind?.kind ?? '',
          plural: resource,
          namespaced,
          verbs,
        });
      }
    }
  }
}

async function readLegacy(
  client: ApiClient,
  answer: APIVersions | APIGroupList,
  found: Discovery,
): Promise<void> {
  const groups =
    'groups' in answer
      ? answer.groups.map(({ name, preferredVersion, versions }) => ({
          group: name,
          version: (preferredVersion ?? versions[0])?.version,
        }))
      : (answer as APIVersions).versions.map((version) => ({ group: '', version }));
  for (const { group, version } of groups) {
    if (!version) continue;
    const groupVersion = group ? `${group}/${version}` : version;
    try {
      const path = group ? `/apis/${groupVersion}` : `/api/${version}`;
      const list = await client.json<APIResourceList>({ method: 'GET', path });
      for (const { name, kind, namespaced, verbs } of list.resources)
        if (!name.includes('/'))
          found.resources.push({ group, version, kind, plural: name, namespaced, verbs });
    } catch (error) {
      found.failures.push({ groupVersion, message: (error as Error).message });
    }
  }
}

/** `plural.group`, as messages name a resource. */
export const resourceName = (resource: Resource): string => `${resource.plural}.${resource.group}`;

/** Identifies a resource in maps: its path. */
export const resourceId = (resource: Resource): string => pathOf(resource);
