import { services } from '../../api/resources.ts';
import type { Service, ServicePort, ServiceSpec } from '../../api/types/core-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, formatLabels, nameColumn, same } from './common.ts';
import { validateStatusMetadata } from './metadata-validation.ts';
import { validateService, validateServiceUpdate } from './service-validation.ts';

const hasNodePorts = (type: string | undefined): boolean => type === 'NodePort' || type === 'LoadBalancer';

/** Fills the absent fields that do not depend on what is allocated; the addresses come from the allocator. */
export function defaultService(service: Service): void {
  service.spec ??= {};
  const spec = service.spec;
  spec.sessionAffinity ||= 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  else if (spec.sessionAffinity === 'ClientIP') {
    spec.sessionAffinityConfig ??= {};
    spec.sessionAffinityConfig.clientIP ??= {};
    spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= 10_800;
  }
  spec.type ||= 'ClusterIP';
  for (const port of spec.ports ?? []) {
    port.protocol ||= 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '')
      port.targetPort = port.port;
  }
  if (hasNodePorts(spec.type)) spec.externalTrafficPolicy ||= 'Cluster';
  if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
}

const portText = ({ port, nodePort, protocol }: ServicePort): string =>
  nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`;

function externalIP(service: Service): string {
  const { type, externalIPs = [], externalName } = service.spec ?? {};
  if (type === 'ExternalName') return externalName ?? '';
  if (type !== 'LoadBalancer') return externalIPs.join(',') || '<none>';
  const ingress = (service.status?.loadBalancer?.ingress ?? []).map((item) => item.ip || item.hostname || '');
  const all = [...new Set([...ingress, ...externalIPs])].join(',');
  return all || '<pending>';
}

/** `clusterIP` and the first of `clusterIPs` are one address: if an update changes one of them, the other follows. */
function syncClusterIPs(next: ServiceSpec = {}, previous: ServiceSpec = {}): void {
  const changedOne = next.clusterIP !== previous.clusterIP;
  const changedList = !same(next.clusterIPs ?? [], previous.clusterIPs ?? []);
  if (changedOne && !changedList && next.clusterIP)
    next.clusterIPs = [next.clusterIP, ...(next.clusterIPs ?? []).slice(1)];
  else if (changedList && !changedOne && next.clusterIPs?.length) next.clusterIP = next.clusterIPs[0];
}

/** https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/ */
export const service: KindDeclaration<Service> = {
  ...services,
  singular: 'service',
  listKind: 'ServiceList',
  shortNames: ['svc'],
  categories: ['all'],
  verbs: allVerbs,
  schema: 'io.k8s.api.core.v1.Service',
  storagePath: 'services/specs',
  defaults: defaultService,
  prepareForCreate(object) {
    object.status = { loadBalancer: {} };
    // Each of the two names of the address follows the other.
    const spec = object.spec ?? {};
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
    else if (spec.clusterIPs?.length && !spec.clusterIP) spec.clusterIP = spec.clusterIPs[0];
  },
  prepareForUpdate(next, previous) {
    next.status = previous.status;
    syncClusterIPs(next.spec, previous.spec);
    // Addresses stay unless the update names others; a change to ExternalName gives them up.
    if (next.spec && previous.spec && next.spec.type !== 'ExternalName') {
      next.spec.clusterIP ||= previous.spec.clusterIP;
      next.spec.clusterIPs ??= previous.spec.clusterIPs;
      next.spec.ipFamilies ??= previous.spec.ipFamilies;
      next.spec.ipFamilyPolicy ??= previous.spec.ipFamilyPolicy;
    }
  },
  validate: validateService,
  validateUpdate: validateServiceUpdate,
  status: {
    validateUpdate: validateStatusMetadata,
    prepareForUpdate(next, previous) {
      next.spec = previous.spec;
    },
  },
  deleteReturnsObject: true,
  selectableFields: {
    'spec.clusterIP': (object) => object.spec?.clusterIP ?? '',
    'spec.type': (object) => object.spec?.type ?? '',
  },
  columns: [
    nameColumn,
    {
      name: 'Type',
      type: 'string',
      description: 'How the service is exposed.',
      value: (object) => object.spec?.type ?? '',
    },
    {
      name: 'Cluster-IP',
      type: 'string',
      description: 'Address of the service in the cluster.',
      value: (object) => object.spec?.clusterIPs?.[0] || object.spec?.clusterIP || '<none>',
    },
    {
      name: 'External-IP',
      type: 'string',
      description: 'Addresses of the service outside the cluster.',
      value: externalIP,
    },
    {
      name: 'Port(s)',
      type: 'string',
      description: 'Ports of the service, with its node port where it has one.',
      value: (object) => (object.spec?.ports ?? []).map(portText).join(',') || '<none>',
    },
    ageColumn,
    {
      name: 'Selector',
      type: 'string',
      priority: 1,
      description: 'Labels of the pods that the service sends to.',
      value: (object) => formatLabels(object.spec?.selector),
    },
  ],
};
