import { join } from 'node:path';
import { addressAt, parseCIDR } from '../api/net.ts';
import type { ClusterConfig } from './config.ts';
import type { Paths } from './paths.ts';

/** Names of the processes in the order in which they stop: who decides first, who stores last. */
export const stopOrder = [
  'controller-manager',
  'scheduler',
  'kubelet',
  'proxy',
  'apiserver',
  'store',
  'dockerd',
] as const;

export type ProcessName = (typeof stopOrder)[number];

/** One process for the supervisor. */
export interface ProcessSpec {
  name: ProcessName;
  command: string[];
  environment: Record<string, string>;
  /** SIGKILL follows SIGTERM after this long. */
  stopMilliseconds: number;
  /**
   * Loopback port that should be open before the first start. It would retry by itself, but all at once share
   * the cores with the one they all wait for, and then sit out their back-off.
   */
  after?: number;
}

export interface ComponentInputs {
  config: ClusterConfig;
  paths: Paths;
  /** The Node binary that runs the components. */
  node: string;
  repository: string;
}

/**
 * V8 settings by component, MiB. A small young generation keeps an idle process small and is paid with more
 * frequent, shorter collections; the API server and the store carry the load and get more.
 */
const heap: Record<Exclude<ProcessName, 'dockerd'>, { semiSpace: number; oldSpace: number }> = {
  store: { semiSpace: 8, oldSpace: 2048 },
  apiserver: { semiSpace: 8, oldSpace: 2048 },
  scheduler: { semiSpace: 1, oldSpace: 1024 },
  'controller-manager': { semiSpace: 2, oldSpace: 1024 },
  kubelet: { semiSpace: 1, oldSpace: 512 },
  proxy: { semiSpace: 1, oldSpace: 512 },
};

function flags(values: Record<string, string | number | boolean | undefined>): string[] {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `--${name}=${value}`);
}

/** Command lines of all processes of a cluster's node. Pure: the same inputs give the same commands. */
export function componentSpecs({ config, paths, node, repository }: ComponentInputs): ProcessSpec[] {
  const pki = (name: string) => join(paths.pki, name);
  const { ports } = config;
  const spec = (
    name: Exclude<ProcessName, 'dockerd'>,
    values: Record<string, string | number | boolean | undefined>,
  ): ProcessSpec => ({
    name,
    command: [
      node,
      `--max-semi-space-size=${heap[name].semiSpace}`,
      `--max-old-space-size=${heap[name].oldSpace}`,
      '--disable-warning=ExperimentalWarning',
      join(repository, name, 'main.ts'),
      ...flags(values),
    ],
    environment: { NODE_COMPILE_CACHE: paths.compileCache, MALLOC_ARENA_MAX: '2' },
    stopMilliseconds: 10_000,
    ...(name !== 'store' && name !== 'apiserver' && { after: ports.apiserver }),
  });
  const etcd = config.etcd ?? {
    servers: [`https://127.0.0.1:${ports.store}`],
    caFile: pki('etcd/ca.crt'),
    certFile: pki('apiserver-etcd-client.crt'),
    keyFile: pki('apiserver-etcd-client.key'),
  };
  const specs: ProcessSpec[] = [];
  if (!config.etcd)
    specs.push(
      spec('store', {
        name: config.nodeName,
        'data-dir': paths.store,
        'listen-client-urls': `https://127.0.0.1:${ports.store}`,
        'advertise-client-urls': `https://127.0.0.1:${ports.store}`,
        'listen-metrics-urls': `http://127.0.0.1:${ports.storeMetrics}`,
        'cert-file': pki('etcd/server.crt'),
        'key-file': pki('etcd/server.key'),
        'trusted-ca-file': pki('etcd/ca.crt'),
        'client-cert-auth': true,
      }),
    );
  specs.push(
    spec('apiserver', {
      'etcd-servers': etcd.servers.join(','),
      'etcd-cafile': etcd.caFile,
      'etcd-certfile': etcd.certFile,
      'etcd-keyfile': etcd.keyFile,
      'secure-port': ports.apiserver,
      'advertise-address': config.nodeIP,
      'tls-cert-file': pki('apiserver.crt'),
      'tls-private-key-file': pki('apiserver.key'),
      'client-ca-file': pki('ca.crt'),
      'service-account-key-file': pki('sa.pub'),
      'service-account-signing-key-file': pki('sa.key'),
      'service-account-issuer': `https://kubernetes.default.svc.${config.clusterDomain}`,
      'service-cluster-ip-range': config.serviceCIDR,
      'service-node-port-range': config.serviceNodePortRange,
      'kubelet-client-certificate': pki('apiserver-kubelet-client.crt'),
      'kubelet-client-key': pki('apiserver-kubelet-client.key'),
      'kubelet-certificate-authority': pki('ca.crt'),
      'kubelet-preferred-address-types': 'InternalIP,Hostname',
    }),
    spec('controller-manager', {
      kubeconfig: paths.kubeconfig('controller-manager'),
      'bind-address': '127.0.0.1',
      'secure-port': ports.controllerManager,
      'cluster-cidr': config.clusterCIDR,
      'service-cluster-ip-range': config.serviceCIDR,
      'allocate-node-cidrs': true,
      'root-ca-file': pki('ca.crt'),
    }),
    spec('scheduler', {
      kubeconfig: paths.kubeconfig('scheduler'),
      'bind-address': '127.0.0.1',
      'secure-port': ports.scheduler,
    }),
    spec('kubelet', {
      kubeconfig: paths.kubeconfig('kubelet'),
      'hostname-override': config.nodeName,
      'node-ip': config.nodeIP,
      'root-dir': paths.kubelet,
      port: ports.kubelet,
      'healthz-port': ports.kubeletHealth,
      'tls-cert-file': pki('kubelet.crt'),
      'tls-private-key-file': pki('kubelet.key'),
      'client-ca-file': pki('ca.crt'),
      'cluster-dns': config.clusterDNS,
      'cluster-domain': config.clusterDomain,
      'cluster-cidr': config.clusterCIDR,
      'container-runtime-endpoint': config.dockerHost,
      'cluster-name': config.clusterName,
      'bridge-name': config.bridgeName,
    }),
    spec('proxy', {
      kubeconfig: paths.kubeconfig('proxy'),
      'hostname-override': config.nodeName,
      'cluster-cidr': config.clusterCIDR,
      'service-cluster-ip-range': config.serviceCIDR,
      'cluster-dns': config.clusterDNS,
      'cluster-domain': config.clusterDomain,
      'cluster-name': config.clusterName,
      'healthz-bind-address': `0.0.0.0:${ports.proxyHealth}`,
      'metrics-bind-address': `127.0.0.1:${ports.proxyMetrics}`,
    }),
  );
  return specs;
}

/** First address of the service network: the Service `kubernetes`. */
export const kubernetesServiceIP = (config: ClusterConfig): string =>
  addressAt(parseCIDR(config.serviceCIDR)!, 1);
