import type { FlagDeclarations, FlagValues } from '../api/flags.ts';

/** https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/ */
export const flags = {
  kubeconfig: { type: 'string', required: true, help: 'kubeconfig with the apiserver and own credentials' },
  'bind-address': { type: 'string', default: '0.0.0.0', help: 'address for health and metrics' },
  'secure-port': { type: 'number', default: 10257, help: 'port for health and metrics' },
  'tls-cert-file': { type: 'string', help: 'certificate of the health and metrics port' },
  'tls-private-key-file': { type: 'string', help: 'key of --tls-cert-file' },
  'leader-elect': { type: 'boolean', default: true, help: 'take part in the election of one active process' },
  'leader-elect-lease-duration': {
    type: 'duration',
    default: '15s',
    help: 'how long others wait for a silent leader before one of them takes over',
  },
  'leader-elect-renew-deadline': {
    type: 'duration',
    default: '10s',
    help: 'how long a leader that cannot renew goes on',
  },
  'leader-elect-retry-period': { type: 'duration', default: '2s', help: 'time between tries' },
  'leader-elect-resource-name': {
    type: 'string',
    default: 'kube-controller-manager',
    help: 'name of the Lease',
  },
  'leader-elect-resource-namespace': {
    type: 'string',
    default: 'kube-system',
    help: 'namespace of the Lease',
  },
  controllers: {
    type: 'list',
    default: ['*'],
    help: "controllers to run: '*' for all that are on by default, 'foo' for one, '-foo' for all but it",
  },
  'cluster-cidr': {
    type: 'string',
    default: '10.244.0.0/16',
    help: 'range of the pods of the whole cluster',
  },
  'service-cluster-ip-range': { type: 'string', default: '10.96.0.0/16', help: 'range of the services' },
  'allocate-node-cidrs': { type: 'boolean', default: true, help: 'cut --cluster-cidr into node ranges' },
  'node-cidr-mask-size': { type: 'number', default: 24, help: 'prefix length of a node range' },
  // Silence is noticed by timers, to the millisecond; there is no round to be timed.
  'node-monitor-period': { type: 'duration', default: '5s', help: 'taken for compatibility, has no effect' },
  'node-monitor-grace-period': {
    type: 'duration',
    default: '40s',
    help: 'how long a node may be silent before it is marked unhealthy',
  },
  'node-startup-grace-period': {
    type: 'duration',
    default: '1m',
    help: 'how long a new node may be silent before it is marked unhealthy',
  },
  'root-ca-file': { type: 'string', help: 'CA certificate that is published to all namespaces' },
  'terminated-pod-gc-threshold': {
    type: 'number',
    default: 12500,
    help: 'terminated pods that may exist before the oldest are deleted; 0 or less: no limit',
  },
  'mirroring-max-endpoints-per-subset': {
    type: 'number',
    default: 1000,
    help: 'endpoints that are mirrored from one subset of an Endpoints object',
  },
  'max-endpoints-per-slice': { type: 'number', default: 100, help: 'endpoints in one EndpointSlice' },
} as const satisfies FlagDeclarations;

export type ControllerManagerFlags = FlagValues<typeof flags>;
