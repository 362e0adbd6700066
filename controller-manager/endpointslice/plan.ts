import { services } from '../../api/resources.ts';
import type { Node, Pod, Service } from '../../api/types/core-v1.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/types/discovery-v1.ts';
import { controllerReference } from '../common/owner-references.ts';
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
import { type EndpointGroup, reconcileSlices, type SlicePlan } from './reconcile.ts';

/** https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/ */

export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const managedBy = 'endpointslice-controller.k8s.io';
const headlessLabel = 'service.kubernetes.io/headless';
const triggerTime = 'endpoints.kubernetes.io/last-change-trigger-time';
const zoneLabel = 'topology.kubernetes.io/zone';

/** A service's labels as its slices carry them, with those that name the service and the writer. */
export function sliceLabels(service: Service, writer: string): Record<string, string> {
  const labels = { ...service.metadata?.labels };
  delete labels[headlessLabel];
  if (isHeadless(service)) labels[headlessLabel] = '';
  labels[serviceNameLabel] = service.metadata?.name ?? '';
  labels[managedByLabel] = writer;
  return labels;
}

function portsOf(pod: Pod, service: Service): EndpointPort[] | undefined {
  const wanted = service.spec?.ports ?? [];
  if (wanted.length === 0) return isHeadless(service) ? [] : undefined;
  return wanted.flatMap((port): EndpointPort[] => {
    const number = targetPortOf(pod, port);
    if (number === undefined) return [];
    return [
      {
        name: port.name ?? '',
        port: number,
        protocol: port.protocol ?? 'TCP',
        ...(port.appProtocol && { appProtocol: port.appProtocol }),
      },
    ];
  });
}

function endpointOf(pod: Pod, address: string, service: Service, node: Node | undefined): Endpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata?.deletionTimestamp !== undefined;
  const hostname = hostnameIn(pod, service);
  const zone = node?.metadata?.labels?.[zoneLabel];
  const { name, namespace, uid } = pod.metadata ?? {};
  return {
    addresses: [address],
    conditions: {
      ready: (service.spec?.publishNotReadyAddresses ?? false) || (serving && !terminating),
      serving,
      terminating,
    },
    ...(hostname && { hostname }),
    ...(pod.spec?.nodeName && { nodeName: pod.spec.nodeName }),
    targetRef: { kind: 'Pod', name, namespace, uid },
    ...(zone && { zone }),
  };
}

export interface ObservedService {
  service: Service;
  /** The pods that the service selects. */
  pods: readonly Pod[];
  /** The slices of the service that this controller wrote. */
  slices: readonly EndpointSlice[];
  nodeOf(name: string): Node | undefined;
}

/** What a service's slices are to hold: one group an address family and set of ports. */
export function desiredGroups({ service, pods, nodeOf }: ObservedService): EndpointGroup[] {
  const groups: EndpointGroup[] = [];
  for (const addressType of service.spec?.ipFamilies ?? ['IPv4']) {
    const byPorts = new Map<string, EndpointGroup>();
    for (const pod of pods) {
      if (!isEndpoint(pod, true)) continue;
      const address = addressesOf(pod).find((item) => isIPv6(item) === (addressType === 'IPv6'));
      const ports = portsOf(pod, service);
      if (!address || !ports) continue;
      const key = JSON.stringify(ports);
      const group = byPorts.get(key) ?? { addressType, ports, endpoints: [] };
      byPorts.set(key, group);
      group.endpoints.push(endpointOf(pod, address, service, nodeOf(pod.spec?.nodeName ?? '')));
    }
    if (byPorts.size === 0) byPorts.set('', { addressType, ports: [], endpoints: [] });
    groups.push(...byPorts.values());
  }
  return groups;
}

/** The writes that bring a service's slices in line with its pods. */
export function planSlices(
  observed: ObservedService,
  options: { maxEndpoints: number; now: number },
): SlicePlan {
  const { service, slices } = observed;
  return reconcileSlices({
    desired: desiredGroups(observed),
    existing: slices,
    maxEndpoints: options.maxEndpoints,
    metadata: {
      generateName: `${service.metadata?.name}-`,
      namespace: service.metadata?.namespace,
      labels: sliceLabels(service, managedBy),
      annotations: { [triggerTime]: timestamp(options.now) },
      ownerReferences: [controllerReference(service, services)],
    },
  });
}
