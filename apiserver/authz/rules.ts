import type { Attributes } from './attributes.ts';

/** A permission, as in a role: verbs on resources of groups, or on paths. `*` stands for all. */
export interface Rule {
  verbs: readonly string[];
  groups?: readonly string[];
  /** `pods`, `pods/log`, `*` for all resources with all subresources. */
  resources?: readonly string[];
  names?: readonly string[];
  namespaces?: readonly string[];
  /** Paths; one that ends in `*` covers what begins so. */
  paths?: readonly string[];
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  !!list && (list.includes('*') || list.includes(value));

/** Whether one rule permits what is asked. */
export function permits(rule: Rule, wanted: Attributes): boolean {
  if (!has(rule.verbs, wanted.verb)) return false;
  if (!wanted.isResource)
    return !!rule.paths?.some(
      (path) => path === wanted.path || (path.endsWith('*') && wanted.path.startsWith(path.slice(0, -1))),
    );
  if (!rule.resources || !has(rule.groups, wanted.group)) return false;
  const resource = wanted.subresource ? `${wanted.resource}/${wanted.subresource}` : wanted.resource;
  return (
    has(rule.resources, resource) &&
    (!rule.names || rule.names.includes(wanted.name)) &&
    (!rule.namespaces || rule.namespaces.includes(wanted.namespace))
  );
}

const everything: readonly Rule[] = [
  { verbs: ['*'], groups: ['*'], resources: ['*'] },
  { verbs: ['*'], paths: ['*'] },
];

/** What everybody may who is known: find out what there is, and what they may. */
export const basicRules: readonly Rule[] = [
  {
    verbs: ['get', 'head'],
    paths: [
      '/api',
      '/api/*',
      '/apis',
      '/apis/*',
      '/healthz*',
      '/livez*',
      '/readyz*',
      '/openapi',
      '/openapi/*',
      '/openid/v1/jwks',
      '/.well-known/openid-configuration',
      '/version',
      '/version/',
    ],
  },
  {
    verbs: ['create'],
    groups: ['authorization.k8s.io'],
    resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
  },
  { verbs: ['create'], groups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
];

const read = ['get', 'list', 'watch'];
const events: Rule = {
  verbs: ['create', 'patch', 'update'],
  groups: ['', 'events.k8s.io'],
  resources: ['events'],
};
const reviews: readonly Rule[] = [
  { verbs: ['create'], groups: ['authentication.k8s.io'], resources: ['tokenreviews'] },
  { verbs: ['create'], groups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'] },
];
const leader = (name: string): readonly Rule[] => [
  { verbs: ['create'], groups: ['coordination.k8s.io'], resources: ['leases'], namespaces: ['kube-system'] },
  {
    verbs: ['get', 'update', 'patch', 'watch'],
    groups: ['coordination.k8s.io'],
    resources: ['leases'],
    namespaces: ['kube-system'],
    names: [name],
  },
];

/** What groups may, beyond {@link basicRules}. */
export const groupRules: Readonly<Record<string, readonly Rule[]>> = {
  'system:masters': everything,
  // The group of administrators in kubeadm's kubeconfigs.
  'kubeadm:cluster-admins': everything,
  'system:monitoring': [{ verbs: ['get'], paths: ['/metrics', '/metrics/*'] }],
};

/**
 * What the components may, after Kubernetes' bootstrap roles. Nodes are not here: what they may depends on the
 * pods on them, see node-authorizer.ts.
 * https://kubernetes.io/docs/reference/access-authn-authz/rbac/#core-component-roles
 */
export const userRules: Readonly<Record<string, readonly Rule[]>> = {
  'system:kube-controller-manager': [
    // Garbage collection and namespace deletion reach every kind there is.
    { verbs: [...read, 'delete', 'deletecollection', 'patch', 'update'], groups: ['*'], resources: ['*'] },
    {
      verbs: ['create'],
      groups: [''],
      resources: [
        'configmaps',
        'endpoints',
        'events',
        'namespaces',
        'persistentvolumeclaims',
        'persistentvolumes',
        'pods',
        'pods/binding',
        'pods/eviction',
        'secrets',
        'serviceaccounts',
        'serviceaccounts/token',
      ],
    },
    { verbs: ['create'], groups: ['apps'], resources: ['controllerrevisions', 'replicasets'] },
    { verbs: ['create'], groups: ['batch'], resources: ['jobs'] },
    { verbs: ['create'], groups: ['coordination.k8s.io'], resources: ['leases'] },
    { verbs: ['create'], groups: ['discovery.k8s.io'], resources: ['endpointslices'] },
    { verbs: ['create'], groups: ['events.k8s.io'], resources: ['events'] },
    ...reviews,
  ],
  'system:kube-scheduler': [
    events,
    ...leader('kube-scheduler'),
    {
      verbs: read,
      groups: [''],
      resources: ['namespaces', 'nodes', 'pods', 'services', 'replicationcontrollers'],
    },
    { verbs: ['delete'], groups: [''], resources: ['pods'] },
    { verbs: ['create'], groups: [''], resources: ['bindings', 'pods/binding'] },
    { verbs: ['patch', 'update'], groups: [''], resources: ['pods/status'] },
    { verbs: read, groups: [''], resources: ['persistentvolumeclaims', 'persistentvolumes'] },
    { verbs: read, groups: ['apps'], resources: ['replicasets', 'statefulsets'] },
    { verbs: read, groups: ['policy'], resources: ['poddisruptionbudgets'] },
    { verbs: read, groups: ['scheduling.k8s.io'], resources: ['priorityclasses'] },
    { verbs: read, groups: ['storage.k8s.io'], resources: ['*'] },
    ...reviews,
  ],
  'system:kube-proxy': [
    events,
    { verbs: read, groups: [''], resources: ['endpoints', 'namespaces', 'nodes', 'pods', 'services'] },
    { verbs: read, groups: ['discovery.k8s.io'], resources: ['endpointslices'] },
  ],
};
