import type { KubeObject, Resource } from './object.ts';
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from './types/apps-v1.ts';
import type { Job } from './types/batch-v1.ts';
import type { Lease } from './types/coordination-v1.ts';
import type {
  ConfigMap,
  Endpoints,
  Event,
  Namespace,
  Node,
  Pod,
  Secret,
  Service,
  ServiceAccount,
} from './types/core-v1.ts';
import type { EndpointSlice } from './types/discovery-v1.ts';

const resource = <T extends KubeObject>(
  group: string,
  version: string,
  kind: string,
  plural: string,
  namespaced = true,
): Resource<T> => ({ group, version, kind, plural, namespaced });

/** The resources that our own components read and write, typed. */
export const namespaces = resource<Namespace>('', 'v1', 'Namespace', 'namespaces', false);
export const nodes = resource<Node>('', 'v1', 'Node', 'nodes', false);
export const pods = resource<Pod>('', 'v1', 'Pod', 'pods');
export const services = resource<Service>('', 'v1', 'Service', 'services');
export const endpoints = resource<Endpoints>('', 'v1', 'Endpoints', 'endpoints');
export const configMaps = resource<ConfigMap>('', 'v1', 'ConfigMap', 'configmaps');
export const secrets = resource<Secret>('', 'v1', 'Secret', 'secrets');
export const serviceAccounts = resource<ServiceAccount>('', 'v1', 'ServiceAccount', 'serviceaccounts');
export const events = resource<Event>('', 'v1', 'Event', 'events');
export const leases = resource<Lease>('coordination.k8s.io', 'v1', 'Lease', 'leases');
export const endpointSlices = resource<EndpointSlice>(
  'discovery.k8s.io',
  'v1',
  'EndpointSlice',
  'endpointslices',
);
export const replicaSets = resource<ReplicaSet>('apps', 'v1', 'ReplicaSet', 'replicasets');
export const deployments = resource<Deployment>('apps', 'v1', 'Deployment', 'deployments');
export const daemonSets = resource<DaemonSet>('apps', 'v1', 'DaemonSet', 'daemonsets');
export const statefulSets = resource<StatefulSet>('apps', 'v1', 'StatefulSet', 'statefulsets');
export const jobs = resource<Job>('batch', 'v1', 'Job', 'jobs');
