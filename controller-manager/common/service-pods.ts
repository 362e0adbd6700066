import { type KubeObject, keyOf } from '../../api/object.ts';
import { selectorFromLabels } from '../../api/selectors.ts';
import type { Pod, Service, ServicePort } from '../../api/types/core-v1.ts';
import type { Informer } from '../../client/informer.ts';
import { jsonEqual } from './equal.ts';
import { isPodReady, isPodTerminal } from './pod-state.ts';

/** Index of any namespaced objects by their namespace. */
export const byNamespace = 'namespace';

export const indexByNamespace = <T extends KubeObject>(informer: Informer<T>): Informer<T> =>
  informer.addIndex(byNamespace, (object) => [object.metadata?.namespace ?? '']);

/** Whether the controllers look for the service's pods: one without selector is its owner's own affair. */
export const hasEndpoints = (service: Service): boolean =>
  service.spec?.type !== 'ExternalName' && Object.keys(service.spec?.selector ?? {}).length > 0;

export const isHeadless = (service: Service): boolean => service.spec?.clusterIP === 'None';

/** The pods of the service's namespace that its selector matches. */
export function podsOf(service: Service, pods: Informer<Pod>): Pod[] {
  const selector = selectorFromLabels(service.spec?.selector);
  return pods
    .byIndex(byNamespace, service.metadata?.namespace ?? '')
    .filter((pod) => selector.matches(pod.metadata?.labels));
}

/** Whether a pod can be an endpoint at all: it has an address and has not ended. */
export const isEndpoint = (pod: Pod, includeTerminating: boolean): boolean =>
  !isPodTerminal(pod) &&
  addressesOf(pod).length > 0 &&
  (includeTerminating || !pod.metadata?.deletionTimestamp);

export const addressesOf = (pod: Pod): string[] => {
  const all = pod.status?.podIPs?.flatMap(({ ip }) => ip ?? []) ?? [];
  return all.length > 0 ? all : pod.status?.podIP ? [pod.status.podIP] : [];
};

export const isIPv6 = (address: string): boolean => address.includes(':');

/** The pod's port that a service port leads to; undefined if the pod has none of that name. */
export function targetPortOf(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target === 0 ? port.port : target;
  const sidecars = (pod.spec?.initContainers ?? []).filter(
    (container) => 'restartPolicy' in container && container.restartPolicy === 'Always',
  );
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars])
    for (const candidate of container.ports ?? [])
      if (candidate.name === target && (candidate.protocol ?? 'TCP') === (port.protocol ?? 'TCP'))
        return candidate.containerPort;
  return undefined;
}

/** The name under which DNS finds a pod of a headless service. */
export const hostnameIn = (pod: Pod, service: Service): string | undefined =>
  pod.spec?.hostname && pod.spec.subdomain === service.metadata?.name ? pod.spec.hostname : undefined;

/** Whether a change of a pod may change endpoints. */
function concernsEndpoints(pod: Pod, old: Pod): boolean {
  const facts = (item: Pod) => [
    item.status?.podIP,
    item.status?.podIPs,
    item.spec?.nodeName,
    isPodReady(item),
    isPodTerminal(item),
    item.metadata?.deletionTimestamp !== undefined,
    item.metadata?.labels,
  ];
  return !jsonEqual(facts(pod), facts(old));
}

/** Calls `enqueue` for every service that a change of a service or of a pod concerns. */
export function followServicePods(options: {
  services: Informer<Service>;
  pods: Informer<Pod>;
  enqueue(key: string): void;
}): void {
  const { services, pods, enqueue } = options;
  indexByNamespace(services);
  indexByNamespace(pods);
  const enqueueSelecting = (pod: Pod) => {
    for (const service of services.byIndex(byNamespace, pod.metadata?.namespace ?? ''))
      if (hasEndpoints(service) && selectorFromLabels(service.spec?.selector).matches(pod.metadata?.labels))
        enqueue(keyOf(service));
  };
  services.on({
    add: (service) => enqueue(keyOf(service)),
    update: (service) => enqueue(keyOf(service)),
    delete: (service) => enqueue(keyOf(service)),
  });
  pods.on({
    add: enqueueSelecting,
    update: (pod, old) => {
      if (!concernsEndpoints(pod, old)) return;
      enqueueSelecting(pod);
      if (!jsonEqual(pod.metadata?.labels, old.metadata?.labels)) enqueueSelecting(old);
    },
    delete: enqueueSelecting,
  });
}
