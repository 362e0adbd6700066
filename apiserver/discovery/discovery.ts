import type { KindDeclaration } from '../registry/kind.ts';
import type { KindRegistry } from '../registry/kind-registry.ts';

/** A subresource as discovery lists it. */
export interface ListedSubresource {
  resource: string;
  name: string;
  kind: string;
  group?: string;
  version?: string;
  verbs: readonly string[];
}

const statusVerbs = ['get', 'patch', 'update'];

/** What discovery describes. */
export interface Served {
  registry: KindRegistry;
  subresources: readonly ListedSubresource[];
}

/** The status that follows from a kind's declaration, and the subresources with handlers of their own. */
function subresourcesOf({ subresources }: Served, kind: KindDeclaration): ListedSubresource[] {
  const resource = kind.group ? `${kind.plural}.${kind.group}` : kind.plural;
  const own = subresources.filter((item) => item.resource === resource);
  if (kind.status) own.push({ resource, name: 'status', kind: kind.kind, verbs: statusVerbs });
  return own.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const groupVersion = (group: string, version: string): string => (group ? `${group}/${version}` : version);

/** The versions of each group, in the order in which groups were declared. */
function groupsOf(registry: KindRegistry): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const kind of registry.declared()) {
    const versions = groups.get(kind.group) ?? [];
    if (!versions.includes(kind.version)) versions.push(kind.version);
    groups.set(kind.group, versions);
  }
  return groups;
}

const kindsOf = (registry: KindRegistry, group: string, version: string): KindDeclaration[] =>
  registry.declared().filter((kind) => kind.group === group && kind.version === version);

/** `/api` */
export const coreVersions = (address: string): object => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
});

function apiGroup(group: string, versions: readonly string[]): object {
  const listed = versions.map((version) => ({ groupVersion: groupVersion(group, version), version }));
  return { name: group, versions: listed, preferredVersion: listed[0] };
}

/** `/apis` */
export const groupList = (registry: KindRegistry): object => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: [...groupsOf(registry)]
    .filter(([group]) => group)
    .map(([group, versions]) => apiGroup(group, versions)),
});

/** `/apis/GROUP`; undefined if there is none. */
export function oneGroup(registry: KindRegistry, group: string): object | undefined {
  const versions = group ? groupsOf(registry).get(group) : undefined;
  return versions && { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group, versions) };
}

/** `/api/v1`, `/apis/GROUP/VERSION`; undefined if there is none. */
export function resourceList(served: Served, group: string, version: string): object | undefined {
  const kinds = kindsOf(served.registry, group, version);
  if (!kinds.length) return undefined;
  const resources = kinds.flatMap((kind) => [
    {
      name: kind.plural,
      singularName: kind.singular,
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs: kind.verbs,
      ...(kind.shortNames.length && { shortNames: kind.shortNames }),
      ...(kind.categories.length && { categories: kind.categories }),
    },
    ...subresourcesOf(served, kind).map((sub) => ({
      name: `${kind.plural}/${sub.name}`,
      singularName: '',
      namespaced: kind.namespaced,
      ...(sub.group && { group: sub.group }),
      ...(sub.version && { version: sub.version }),
      kind: sub.kind,
      verbs: sub.verbs,
    })),
  ]);
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: groupVersion(group, version), resources };
}

/**
 * `/api` and `/apis` in one answer, as `apidiscovery.k8s.io` v2 (or v2beta1: the same shape).
 * https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery
 */
export function aggregated(served: Served, core: boolean, version: 'v2' | 'v2beta1'): object {
  const { registry } = served;
  const items = [...groupsOf(registry)]
    .filter(([group]) => (group === '') === core)
    .map(([group, versions]) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versions.map((name) => ({
        version: name,
        freshness: 'Current',
        resources: kindsOf(registry, group, name).map((kind) => ({
          resource: kind.plural,
          responseKind: { group: kind.group, version: kind.version, kind: kind.kind },
          scope: kind.namespaced ? 'Namespaced' : 'Cluster',
          singularResource: kind.singular,
          verbs: kind.verbs,
          ...(kind.shortNames.length && { shortNames: kind.shortNames }),
          ...(kind.categories.length && { categories: kind.categories }),
          ...(subresourcesOf(served, kind).length && {
            subresources: subresourcesOf(served, kind).map((sub) => ({
              subresource: sub.name,
              responseKind: {
                group: sub.group ?? kind.group,
                version: sub.version ?? kind.version,
                kind: sub.kind,
              },
              verbs: sub.verbs,
            })),
          }),
        })),
      })),
    }));
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items,
  };
}
