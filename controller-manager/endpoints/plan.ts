import type {
  EndpointAddress,
  EndpointPort,
  EndpointSubset,
  Endpoints,
  Pod,
  Service,
} from '../../api/types/core-v1.ts';
import { jsonEqual } from '../common/equal.ts';
import { isPodReady } from '../common/pod-state.ts';
import {
  addressesOf,
  hostnameIn,
  isEndpoint,
  isHeadless,
  isIPv6,
  targetPortOf,
} from '../common/service-pods.ts';
import { timestamp } from '../common/time.ts';

/** https://kubernetes.io/docs/concepts/services-networking/service/#endpoints */

const headlessLabel = 'service.kubernetes.io/headless';
const managedByLabel = 'endpoints.kubernetes.io/managed-by';
const overCapacity = 'endpoints.kubernetes.io/over-capacity';
const triggerTime = 'endpoints.kubernetes.io/last-change-trigger-time';

/** Value of the label that tells which Endpoints this controller wrote. */
export const managedBy = 'endpoint-controller';

/** The most addresses in one Endpoints object; EndpointSlices hold the rest. */
export const maxAddresses = 1000;

function addressOf(pod: Pod, service: Service): EndpointAddress | undefined {
  const v6 = service.spec?.ipFamilies?.[0] === 'IPv6';
  const ip = addressesOf(pod).find((address) => isIPv6(address) === v6);
  if (!ip) return undefined;
  const hostname = hostnameIn(pod, service);
  const { name, namespace, uid } = pod.metadata ?? {};
  return {
    ip,
    ...(hostname && { hostname }),
    ...(pod.spec?.nodeName && { nodeName: pod.spec.nodeName }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

/** The ports under which a service reaches a pod; undefined if the pod offers none of them. */
function portsOf(pod: Pod, service: Service): EndpointPort[] | undefined {
  const wanted = service.spec?.ports ?? [];
  if (wanted.length === 0) return isHeadless(service) ? [] : undefined;
  const ports = wanted.flatMap((port): EndpointPort[] => {
    const number = targetPortOf(pod, port);
    if (number === undefined) return [];
    return [
      {
        ...(port.name && { name: port.name }),
        port: number,
        protocol: port.protocol ?? 'TCP',
        ...(port.appProtocol && { appProtocol: port.appProtocol }),
      },
    ];
  });
  return ports.length > 0 ? ports : undefined;
}

/** Sorted by address and grouped by the ports that pods really have, ready ones first. */
export function planSubsets(service: Service, pods: readonly Pod[]): EndpointSubset[] {
  const publishAll = service.spec?.publishNotReadyAddresses ?? false;
  const groups = new Map<
    string,
    { ports: EndpointPort[]; ready: EndpointAddress[]; notReady: EndpointAddress[] }
  >();
  for (const pod of pods) {
    if (!isEndpoint(pod, publishAll)) continue;
    const address = addressOf(pod, service);
    const ports = portsOf(pod, service);
    if (!address || !ports) continue;
    const id = JSON.stringify(ports);
    const group = groups.get(id) ?? { ports, ready: [], notReady: [] };
    groups.set(id, group);
    if (publishAll || isPodReady(pod)) group.ready.push(address);
    else group.notReady.push(address);
  }
  const byAddress = (a: EndpointAddress, b: EndpointAddress) =>
    a.ip < b.ip || (a.ip === b.ip && (a.targetRef?.uid ?? '') < (b.targetRef?.uid ?? '')) ? -1 : 1;
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ports, ready, notReady }]) => ({
      ...(ready.length > 0 && { addresses: ready.sort(byAddress) }),
      ...(notReady.length > 0 && { notReadyAddresses: notReady.sort(byAddress) }),
      ...(ports.length > 0 && { ports }),
    }));
}

/** At most `limit` addresses, those of ready pods before the others. */
export function truncate(
  subsets: EndpointSubset[],
  limit: number,
): { subsets: EndpointSubset[]; cut: boolean } {
  const count = (of: 'addresses' | 'notReadyAddresses') =>
    subsets.reduce((total, subset) => total + (subset[of]?.length ?? 0), 0);
  if (count('addresses') + count('notReadyAddresses') <= limit) return { subsets, cut: false };
  let readyLeft = limit;
  let otherLeft = Math.max(0, limit - count('addresses'));
  const result = subsets.flatMap((subset): EndpointSubset[] => {
    const addresses = subset.addresses?.slice(0, readyLeft) ?? [];
    const notReadyAddresses = subset.notReadyAddresses?.slice(0, otherLeft) ?? [];
    readyLeft -= addresses.length;
    otherLeft -= notReadyAddresses.length;
    if (addresses.length + notReadyAddresses.length === 0) return [];
    return [
      {
        ...(addresses.length > 0 && { addresses }),
        ...(notReadyAddresses.length > 0 && { notReadyAddresses }),
        ...(subset.ports && { ports: subset.ports }),
      },
    ];
  });
  return { subsets: result, cut: true };
}

/** The Endpoints object that a service is to have, or undefined if the present one says the same. */
export function planEndpoints(observed: {
  service: Service;
  pods: readonly Pod[];
  present: Endpoints | undefined;
  now: number;
}): Endpoints | undefined {
  const { service, present } = observed;
  const { subsets, cut } = truncate(planSubsets(service, observed.pods), maxAddresses);
  const labels: Record<string, string> = { ...service.metadata?.labels, [managedByLabel]: managedBy };
  if (isHeadless(service)) labels[headlessLabel] = '';
  else delete labels[headlessLabel];
  const annotations: Record<string, string> = { ...present?.metadata?.annotations };
  if (cut) annotations[overCapacity] = 'truncated';
  else delete annotations[overCapacity];
  if (
    present &&
    jsonEqual(present.subsets ?? [], subsets) &&
    jsonEqual(present.metadata?.labels ?? {}, labels) &&
    jsonEqual(present.metadata?.annotations ?? {}, annotations)
  )
    return undefined;
  annotations[triggerTime] = timestamp(observed.now);
  const { name, namespace } = service.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { ...(present?.metadata ?? { name, namespace }), labels, annotations },
    subsets,
  };
}

export const isManaged = (endpoints: Endpoints): boolean =>
  endpoints.metadata?.labels?.[managedByLabel] === managedBy;
