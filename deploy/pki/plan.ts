import { kubernetesServiceIP } from '../components.ts';
import type { ClusterConfig } from '../config.ts';

/** One certificate to keep, under kubeadm's names. https://kubernetes.io/docs/setup/best-practices/certificates/ */
export interface CertificateSpec {
  /** File name under the PKI directory, without `.crt`. */
  file: string;
  /** File of the signing CA; undefined for a CA, which signs itself. */
  signer?: string;
  commonName: string;
  organization?: string;
  server?: boolean;
  client?: boolean;
  dnsNames?: string[];
  addresses?: string[];
}

/** A kubeconfig with its own client certificate inside. */
export interface IdentitySpec {
  /** `<data-dir>/<file>.conf` */
  file: string;
  commonName: string;
  organization?: string;
}

export interface PkiPlan {
  certificates: CertificateSpec[];
  identities: IdentitySpec[];
}

const seconds = { day: 86_400 };

/** How long a certificate lasts, and how long before its end `up` makes a new one; seconds. */
export const lifetimes = {
  ca: 3650 * seconds.day,
  leaf: 365 * seconds.day,
  renewBefore: 30 * seconds.day,
};

/** All certificates and identities of a cluster's first node. */
export function pkiPlan(config: ClusterConfig): PkiPlan {
  const local = { dnsNames: ['localhost', config.nodeName], addresses: [config.nodeIP, '127.0.0.1'] };
  return {
    certificates: [
      { file: 'ca', commonName: 'kubernetes' },
      { file: 'etcd/ca', commonName: 'etcd-ca' },
      {
        file: 'apiserver',
        signer: 'ca',
        commonName: 'kube-apiserver',
        server: true,
        dnsNames: [
          'kubernetes',
          'kubernetes.default',
          'kubernetes.default.svc',
          `kubernetes.default.svc.${config.clusterDomain}`,
          ...local.dnsNames,
        ],
        addresses: [kubernetesServiceIP(config), ...local.addresses],
      },
      {
        file: 'apiserver-kubelet-client',
        signer: 'ca',
        commonName: 'kube-apiserver-kubelet-client',
        organization: 'kubeadm:cluster-admins',
        client: true,
      },
      { file: 'kubelet', signer: 'ca', commonName: config.nodeName, server: true, ...local },
      // etcd's own gateway dials its server as a client, so the server certificate must serve for both.
      {
        file: 'etcd/server',
        signer: 'etcd/ca',
        commonName: config.nodeName,
        server: true,
        client: true,
        ...local,
      },
      {
        file: 'apiserver-etcd-client',
        signer: 'etcd/ca',
        commonName: 'kube-apiserver-etcd-client',
        client: true,
      },
    ],
    identities: [
      { file: 'admin', commonName: 'kubernetes-admin', organization: 'system:masters' },
      { file: 'controller-manager', commonName: 'system:kube-controller-manager' },
      { file: 'scheduler', commonName: 'system:kube-scheduler' },
      { file: 'kubelet', commonName: `system:node:${config.nodeName}`, organization: 'system:nodes' },
      { file: 'proxy', commonName: 'system:kube-proxy' },
    ],
  };
}
