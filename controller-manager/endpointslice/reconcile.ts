import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/types/discovery-v1.ts';
import type { ObjectMeta } from '../../api/types/meta-v1.ts';
import { jsonEqual } from '../common/equal.ts';

/** Endpoints that share their ports and so can share slices. */
export interface EndpointGroup {
  addressType: string;
  ports: EndpointPort[];
  endpoints: Endpoint[];
}

export interface SlicePlan {
  create: EndpointSlice[];
  update: EndpointSlice[];
  delete: EndpointSlice[];
}

export interface ReconcileOptions {
  desired: readonly EndpointGroup[];
  existing: readonly EndpointSlice[];
  /** Name prefix, namespace, labels, annotations and owner of new slices. */
  metadata: ObjectMeta;
  maxEndpoints: number;
}

const groupKey = (group: Pick<EndpointGroup, 'addressType' | 'ports'> | EndpointSlice): string =>
  `${group.addressType} ${JSON.stringify(
    (group.ports ?? [])
      .map(({ name, port, protocol, appProtocol }) => [
        name ?? '',
        port ?? 0,
        protocol ?? 'TCP',
        appProtocol ?? '',
      ])
      .sort((a, b) => (String(a) < String(b) ? -1 : 1)),
  )}`;

const endpointKey = (endpoint: Endpoint): string =>
  `${endpoint.targetRef?.uid ?? ''} ${endpoint.addresses.join(' ')}`;

interface Draft {
  slice: EndpointSlice | undefined;
  endpoints: Endpoint[];
  changed: boolean;
}

/**
 * The writes that make the slices hold exactly the desired endpoints, with as few of them as possible: every
 * endpoint stays in its slice, new ones go first into slices that are written anyway, then into any with room,
 * and a slice that would be deleted is used again where one would be created.
 */
export function reconcileSlices(options: ReconcileOptions): SlicePlan {
  const plan: SlicePlan = { create: [], update: [], delete: [] };
  const spare: EndpointSlice[] = [];
  const unclaimed = new Map<string, EndpointSlice[]>();
  for (const slice of options.existing) {
    const key = groupKey(slice);
    unclaimed.set(key, [...(unclaimed.get(key) ?? []), slice]);
  }
  const unplaced: { group: EndpointGroup; endpoints: Endpoint[] }[] = [];
  for (const group of options.desired) {
    const key = groupKey(group);
    const slices = unclaimed.get(key) ?? [];
    unclaimed.delete(key);
    unplaced.push({ group, endpoints: fill(group, slices, options, plan, spare) });
  }
  for (const slices of unclaimed.values()) spare.push(...slices);

  for (const { group, endpoints } of unplaced) {
    // A group without endpoints stands for the empty slice that says "nothing here".
    const needsPlaceholder = group.endpoints.length === 0;
    for (let i = 0; i < endpoints.length || (needsPlaceholder && i === 0); i += options.maxEndpoints) {
      const part = endpoints.slice(i, i + options.maxEndpoints);
      const index = spare.findIndex((slice) => slice.addressType === group.addressType);
      const reused = index >= 0 ? spare.splice(index, 1)[0] : undefined;
      const slice: EndpointSlice = {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: reused ? { ...reused.metadata, ...ownMetadata(options, reused) } : options.metadata,
        addressType: group.addressType,
        endpoints: part,
        ports: group.ports,
      };
      if (!reused) plan.create.push(slice);
      else if (!sameSlice(reused, slice)) plan.update.push(slice);
    }
  }
  plan.delete.push(...spare);
  return plan;
}

/** Fills the group's own slices and returns what found no room. */
function fill(
  group: EndpointGroup,
  slices: readonly EndpointSlice[],
  options: ReconcileOptions,
  plan: SlicePlan,
  spare: EndpointSlice[],
): Endpoint[] {
  const wanted = new Map(group.endpoints.map((endpoint) => [endpointKey(endpoint), endpoint]));
  const drafts = slices.map((slice): Draft => {
    const endpoints = (slice.endpoints ?? []).flatMap((endpoint): Endpoint[] => {
      const key = endpointKey(endpoint);
      const next = wanted.get(key);
      wanted.delete(key);
      return next ? [next] : [];
    });
    return { slice, endpoints, changed: !jsonEqual(endpoints, slice.endpoints ?? []) };
  });
  const left = [...wanted.values()];
  const inOrder = [...drafts.filter((draft) => draft.changed), ...drafts.filter((draft) => !draft.changed)];
  for (const draft of inOrder) {
    const room = options.maxEndpoints - draft.endpoints.length;
    if (room <= 0 || left.length === 0) continue;
    draft.endpoints.push(...left.splice(0, room));
    draft.changed = true;
  }
  for (const { slice, endpoints, changed } of drafts) {
    if (!slice) continue;
    if (endpoints.length === 0) spare.push(slice);
    else {
      const own = ownMetadata(options, slice);
      const next = { ...slice, metadata: { ...slice.metadata, ...own }, endpoints };
      if (changed || !sameLabels(slice, own)) plan.update.push(next);
    }
  }
  return left;
}

const ownMetadata = (options: ReconcileOptions, slice: EndpointSlice): ObjectMeta => ({
  labels: options.metadata.labels,
  annotations: { ...slice.metadata?.annotations, ...options.metadata.annotations },
});

const sameLabels = (slice: EndpointSlice, own: ObjectMeta): boolean =>
  jsonEqual(slice.metadata?.labels ?? {}, own.labels ?? {});

const sameSlice = (a: EndpointSlice, b: EndpointSlice): boolean =>
  groupKey(a) === groupKey(b) &&
  jsonEqual(a.endpoints, b.endpoints) &&
  jsonEqual(a.metadata?.labels ?? {}, b.metadata?.labels ?? {});
