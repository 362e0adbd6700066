import type { KubeObject, Resource } from '../api/object.ts';
import { configMaps, namespaces, services } from '../api/resources.ts';
import type { ClusterConfig } from './config.ts';
import { kubeconfigOf } from './pki/kubeconfig.ts';

export interface Addon {
  resource: Resource;
  object: KubeObject & Record<string, unknown>;
}

/**
 * Objects that every cluster has besides those its controllers make: the address of cluster DNS, which each
 * node's proxy serves itself and which therefore selects no pods, and the public facts that clients of
 * kubeadm clusters look for.
 * https://kubernetes.io/docs/reference/setup-tools/kubeadm/implementation-details/
 */
export function addons(config: ClusterConfig, ca: string): Addon[] {
  const cluster = kubeconfigOf({
    clusterName: config.clusterName,
    user: '',
    server: `https://${config.nodeIP}:${config.ports.apiserver}`,
    ca,
    certificate: '',
    key: '',
  }).clusters[0]!.cluster;
  return [
    {
      resource: namespaces,
      object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } },
    },
    {
      resource: namespaces,
      object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-public' } },
    },
    {
      resource: services,
      object: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: {
          name: 'kube-dns',
          namespace: 'kube-system',
          labels: {
            'k8s-app': 'kube-dns',
            'kubernetes.io/cluster-service': 'true',
            'kubernetes.io/name': 'CoreDNS',
          },
        },
        spec: {
          clusterIP: config.clusterDNS,
          ports: [
            { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
            { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
          ],
        },
      },
    },
    {
      resource: configMaps,
      object: {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'cluster-info', namespace: 'kube-public' },
        data: {
          kubeconfig: `${JSON.stringify(
            {
              apiVersion: 'v1',
              kind: 'Config',
              clusters: [{ name: '', cluster }],
              contexts: [],
              users: [],
              'current-context': '',
            },
            null,
            2,
          )}\n`,
        },
      },
    },
  ];
}
