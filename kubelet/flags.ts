import type { FlagDeclarations } from '../api/flags.ts';

/** The kubelet's flags, by Kubernetes' names where it has one. */
export const flags = {
  kubeconfig: { type: 'string', required: true, help: 'how to reach the apiserver, as this node' },
  'hostname-override': { type: 'string', help: "the node's name; default: the machine's host name" },
  'node-ip': { type: 'string', help: "the node's address; default: its first global IPv4 address" },
  'root-dir': { type: 'string', default: '/var/lib/nekalakube/kubelet', help: 'where pods keep their files' },
  address: { type: 'string', default: '0.0.0.0', help: 'address to serve on' },
  port: { type: 'number', default: 10250, help: 'port to serve on' },
  'healthz-bind-address': { type: 'string', default: '127.0.0.1', help: 'address of /healthz without TLS' },
  'healthz-port': { type: 'number', default: 10248, help: 'port of /healthz without TLS; 0 turns it off' },
  'tls-cert-file': { type: 'string', help: 'serving certificate (PEM)' },
  'tls-private-key-file': { type: 'string', help: 'its key (PEM)' },
  'client-ca-file': { type: 'string', help: 'who may call: certificates of this authority (PEM)' },
  'cluster-dns': { type: 'list', default: [], help: 'addresses of the cluster DNS for pods' },
  'cluster-domain': { type: 'string', default: 'cluster.local', help: 'domain of the cluster' },
  'cluster-cidr': { type: 'string', default: '10.244.0.0/16', help: 'addresses of all pods of the cluster' },
  'container-runtime-endpoint': {
    type: 'string',
    default: 'unix:///var/run/docker.sock',
    help: 'the Docker Engine that runs containers',
  },
  'pod-infra-container-image': {
    type: 'string',
    default: '',
    help: 'image of pod sandboxes; default: made locally',
  },
  'max-pods': { type: 'number', default: 110, help: 'most pods on this node' },
  'node-labels': { type: 'list', default: [], help: 'key=value labels to register the node with' },
  'register-with-taints': {
    type: 'list',
    default: [],
    help: 'key=value:effect taints to register the node with',
  },
  'node-status-update-frequency': {
    type: 'duration',
    default: '10s',
    help: 'time between looks at the node',
  },
  'system-reserved': { type: 'list', default: [], help: 'resource=quantity kept from pods, as cpu=200m' },
  'cluster-name': {
    type: 'string',
    default: 'nekalakube',
    help: 'marks the containers and networks of this cluster',
  },
  'bridge-name': { type: 'string', default: 'nkube0', help: 'network interface of the pod network' },
} as const satisfies FlagDeclarations;

/** A flag whose value parses but means nothing. */
export class FlagValueError extends Error {
  override name = 'FlagValueError';
}
