import type { FlagDeclarations, FlagValues } from '../api/flags.ts';

/** The flags, named as kube-apiserver's. */
export const flags = {
  'etcd-servers': { type: 'list', required: true, help: 'store endpoints, https://host:port' },
  'etcd-cafile': { type: 'string', help: 'CA that signed the store’s certificate' },
  'etcd-certfile': { type: 'string', help: 'client certificate towards the store' },
  'etcd-keyfile': { type: 'string', help: 'key of the client certificate towards the store' },
  'etcd-prefix': { type: 'string', default: '/registry', help: 'prefix of all keys in the store' },
  'etcd-compaction-interval': {
    type: 'duration',
    default: '5m',
    help: 'how long the store remembers revisions; 0 leaves compaction to others',
  },
  'max-requests-inflight': {
    type: 'number',
    default: 400,
    help: 'reads that are answered at once; 0 for no limit',
  },
  'max-mutating-requests-inflight': {
    type: 'number',
    default: 200,
    help: 'writes that are answered at once; 0 for no limit',
  },
  'bind-address': { type: 'string', default: '0.0.0.0', help: 'address to listen on' },
  'secure-port': { type: 'number', default: 6443, help: 'port to listen on' },
  'advertise-address': {
    type: 'string',
    help: 'address under which other members of the cluster reach this server',
  },
  'tls-cert-file': { type: 'string', required: true, help: 'serving certificate' },
  'tls-private-key-file': { type: 'string', required: true, help: 'key of the serving certificate' },
  'client-ca-file': { type: 'string', help: 'CA of client certificates' },
  'token-auth-file': { type: 'string', help: 'CSV of static bearer tokens: token,user,uid,"groups"' },
  'service-account-key-file': {
    type: 'list',
    help: 'public or private keys that verify service account tokens',
  },
  'service-account-signing-key-file': {
    type: 'string',
    help: 'private key that signs service account tokens',
  },
  'service-account-issuer': {
    type: 'string',
    default: 'https://kubernetes.default.svc.cluster.local',
    help: 'issuer of service account tokens',
  },
  'api-audiences': { type: 'list', help: 'audiences of tokens for this server (default: the issuer)' },
  'disable-admission-plugins': {
    type: 'list',
    default: [],
    help: 'admission plugins to leave out, such as ServiceAccount',
  },
  'service-cluster-ip-range': { type: 'string', default: '10.96.0.0/16', help: 'CIDR of cluster IPs' },
  'service-node-port-range': { type: 'string', default: '30000-32767', help: 'range of node ports' },
  'kubelet-client-certificate': { type: 'string', help: 'client certificate towards kubelets' },
  'kubelet-client-key': { type: 'string', help: 'key of the client certificate towards kubelets' },
  'kubelet-certificate-authority': {
    type: 'string',
    help: 'CA that signed the kubelets’ serving certificates',
  },
  'kubelet-preferred-address-types': {
    type: 'list',
    default: ['InternalIP', 'Hostname', 'ExternalIP'],
    help: 'node address types to reach a kubelet by, in order',
  },
} as const satisfies FlagDeclarations;

export type Flags = FlagValues<typeof flags>;
