import type { Logger } from 'pino';
import { addressAt, type CIDR } from '../api/net.ts';
import type { KubeObject, Resource } from '../api/object.ts';
import { endpointSlices, endpoints, namespaces, services } from '../api/resources.ts';
import type { Endpoints, Namespace, Service } from '../api/types/core-v1.ts';
import type { EndpointSlice } from '../api/types/discovery-v1.ts';
import type { KindRegistry } from './registry/kind-registry.ts';
import { type ObjectWriter, storeKey } from './registry/object-writer.ts';
import { ApiError } from './rest/api-error.ts';
import type { User } from './rest/request-context.ts';

/** The server itself, where it writes objects. */
export const self: User = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] };

const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

export interface BootstrapOptions {
  registry: KindRegistry;
  writer: ObjectWriter;
  serviceCIDR: CIDR;
  /** Where this server is reached from inside the cluster. */
  address: string;
  port: number;
  log: Logger;
}

const served = { name: 'https', protocol: 'TCP' };

/** The objects that must exist in every cluster: its namespaces and its own Service. */
export function systemObjects(
  options: Pick<BootstrapOptions, 'serviceCIDR' | 'address' | 'port'>,
): readonly { resource: Resource; object: KubeObject; keepCurrent: boolean }[] {
  const { serviceCIDR, address, port } = options;
  const metadata = {
    name: 'kubernetes',
    namespace: 'default',
    labels: { component: 'apiserver', provider: 'kubernetes' },
  };
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: {
      type: 'ClusterIP',
      clusterIP: addressAt(serviceCIDR, 1),
      ports: [{ ...served, port: 443, targetPort: port }],
      sessionAffinity: 'None',
    },
  };
  const managed = { 'endpointslice.kubernetes.io/skip-mirror': 'true' };
  const addresses: Endpoints = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'kubernetes', namespace: 'default', labels: managed },
    subsets: [{ addresses: [{ ip: address }], ports: [{ ...served, port }] }],
  };
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': 'kubernetes' },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ ...served, port }],
  };
  // Nobody else could reach a loopback address, and Endpoints refuse it.
  const reachable = !address.startsWith('127.');
  return [
    ...systemNamespaces.map((name) => ({
      resource: namespaces,
      object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } } satisfies Namespace,
      keepCurrent: true,
    })),
    { resource: services, object: service, keepCurrent: true },
    ...(reachable
      ? [
          { resource: endpoints, object: addresses, keepCurrent: false },
          { resource: endpointSlices, object: slice, keepCurrent: false },
        ]
      : []),
  ];
}

/** Makes what is missing of the system's objects, and corrects where the server is reached. */
export async function ensureSystemObjects(options: BootstrapOptions): Promise<void> {
  const { registry, writer } = options;
  for (const { resource, object, keepCurrent } of systemObjects(options)) {
    const kind = registry.builtIn(resource);
    const { name = '', namespace = '' } = object.metadata ?? {};
    const present = kind.cache.get(storeKey(kind, namespace, name));
    try {
      if (!present)
        await writer.create(kind, namespace, structuredClone(object), { user: self, dryRun: false });
      else if (!keepCurrent)
        await writer.update(
          kind,
          { namespace, name, subresource: '' },
          (current) => ({ ...current, ...structuredClone(object), metadata: current.metadata }),
          { user: self, dryRun: false },
        );
    } catch (error) {
      // Another server did the same just now.
      if (!(error instanceof ApiError && error.status.code === 409)) throw error;
    }
  }
}
