import { endpoints as endpointsResource } from '../../api/resources.ts';
import type { EndpointAddress, EndpointSubset, Endpoints, Service } from '../../api/types/core-v1.ts';
import type { Endpoint, EndpointSlice } from '../../api/types/discovery-v1.ts';
import { controllerReference } from '../common/owner-references.ts';
import { isIPv6 } from '../common/service-pods.ts';
import { managedByLabel, serviceNameLabel } from '../endpointslice/plan.ts';
import { type EndpointGroup, reconcileSlices, type SlicePlan } from '../endpointslice/reconcile.ts';

/** https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#endpointslice-mirroring */

export const managedBy = 'endpointslicemirroring-controller.k8s.io';
const skipLabel = 'endpointslice.kubernetes.io/skip-mirror';
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader';
const notMirrored = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'endpoints.kubernetes.io/last-change-trigger-time',
];

/** Whether slices are to be made from these Endpoints: somebody wrote them by hand for a service without selector. */
export const isMirrored = (endpoints: Endpoints, service: Service | undefined): boolean =>
  service !== undefined &&
  service.spec?.type !== 'ExternalName' &&
  Object.keys(service.spec?.selector ?? {}).length === 0 &&
  !endpoints.metadata?.deletionTimestamp &&
  endpoints.metadata?.labels?.[skipLabel] !== 'true' &&
  endpoints.metadata?.annotations?.[leaderAnnotation] === undefined;

function endpointOf(address: EndpointAddress, ready: boolean): Endpoint {
  const { ip, hostname, nodeName, targetRef } = address;
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname && { hostname }),
    ...(nodeName && { nodeName }),
    ...(targetRef && { targetRef }),
  };
}

function groupsOf(subset: EndpointSubset, limit: number): EndpointGroup[] {
  const all = [
    ...(subset.addresses ?? []).map((address) => endpointOf(address, true)),
    ...(subset.notReadyAddresses ?? []).map((address) => endpointOf(address, false)),
  ].slice(0, limit);
  const ports = (subset.ports ?? []).map(({ name, port, protocol, appProtocol }) => ({
    name: name ?? '',
    port,
    protocol: protocol ?? 'TCP',
    ...(appProtocol && { appProtocol }),
  }));
  return ['IPv4', 'IPv6'].flatMap((addressType): EndpointGroup[] => {
    const endpoints = all.filter(({ addresses }) => isIPv6(addresses[0] ?? '') === (addressType === 'IPv6'));
    return endpoints.length > 0 ? [{ addressType, ports, endpoints }] : [];
  });
}

/** Subsets with the same ports share slices; an address that stands in several of them counts once. */
function merged(groups: readonly EndpointGroup[]): EndpointGroup[] {
  const byKey = new Map<string, EndpointGroup>();
  for (const group of groups) {
    const key = `${group.addressType} ${JSON.stringify(group.ports)}`;
    const known = byKey.get(key);
    if (!known) byKey.set(key, { ...group, endpoints: [...group.endpoints] });
    else
      for (const endpoint of group.endpoints)
        if (!known.endpoints.some(({ addresses }) => addresses[0] === endpoint.addresses[0]))
          known.endpoints.push(endpoint);
  }
  return [...byKey.values()];
}

/** The writes that make slices say what Endpoints say; without Endpoints all slices go. */
export function planMirror(
  endpoints: Endpoints | undefined,
  slices: readonly EndpointSlice[],
  options: { maxEndpoints: number; maxPerSubset: number },
): SlicePlan {
  const annotations = Object.fromEntries(
    Object.entries(endpoints?.metadata?.annotations ?? {}).filter(([key]) => !notMirrored.includes(key)),
  );
  return reconcileSlices({
    desired: merged((endpoints?.subsets ?? []).flatMap((subset) => groupsOf(subset, options.maxPerSubset))),
    existing: slices,
    maxEndpoints: options.maxEndpoints,
    metadata: {
      generateName: `${endpoints?.metadata?.name}-`,
      namespace: endpoints?.metadata?.namespace,
      labels: {
        ...endpoints?.metadata?.labels,
        [serviceNameLabel]: endpoints?.metadata?.name ?? '',
        [managedByLabel]: managedBy,
      },
      annotations,
      ...(endpoints && { ownerReferences: [controllerReference(endpoints, endpointsResource)] }),
    },
  });
}
