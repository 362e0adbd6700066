import { test } from 'tap';
import { encodeForStore } from '../storage/encoding.ts';
import { ResourceCache } from '../storage/resource-cache.ts';
import type { Attributes } from './attributes.ts';
import { NodeAuthorizer } from './node-authorizer.ts';
import { permits, userRules } from './rules.ts';

const cache = new ResourceCache({ fieldsOf: () => ({}) });
const pod = {
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: { name: 'p', namespace: 'ns' },
  spec: {
    nodeName: 'n1',
    serviceAccountName: 'sa',
    imagePullSecrets: [{ name: 'pull' }],
    volumes: [
      { name: 'a', secret: { secretName: 'vol-secret' } },
      { name: 'b', projected: { sources: [{ configMap: { name: 'kube-root-ca.crt' } }] } },
    ],
    containers: [
      {
        name: 'c',
        envFrom: [{ configMapRef: { name: 'env-map' } }],
        env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'env-secret', key: 'k' } } }],
      },
    ],
  },
};
const other = { ...pod, metadata: { name: 'q', namespace: 'ns' }, spec: { nodeName: 'n2', containers: [] } };
cache.reset(
  [
    { key: 'ns/p', value: encodeForStore(pod), revision: 1 },
    { key: 'ns/q', value: encodeForStore(other), revision: 2 },
  ],
  2,
);
const node = new NodeAuthorizer(cache);

/** `verb [group/]resource[/sub] [namespace/]name [?fieldSelector]` */
function asking(text: string, user = 'system:node:n1'): Attributes {
  const [verb = '', what = '', whom = '', fieldSelector = ''] = text.split(' ');
  const [resource = '', subresource = ''] = what.split('/');
  const [plain = '', ...group] = resource.split('.');
  const slash = whom.indexOf('/');
  return {
    user: { name: user, groups: ['system:nodes'] },
    verb,
    isResource: true,
    group: group.join('.'),
    resource: plain,
    subresource,
    namespace: slash < 0 ? '' : whom.slice(0, slash),
    name: slash < 0 ? whom : whom.slice(slash + 1),
    path: '',
    fieldSelector,
  };
}

const allowed = [
  'get nodes n2',
  'watch nodes ',
  'create nodes ',
  'patch nodes n1',
  'patch nodes/status n1',
  'list pods / spec.nodeName=n1',
  'get pods ns/p',
  'delete pods ns/p',
  'patch pods/status ns/p',
  'get secrets ns/vol-secret',
  'get secrets ns/env-secret',
  'get secrets ns/pull',
  'watch secrets ns/ metadata.name=pull',
  'get configmaps ns/env-map',
  'get configmaps ns/kube-root-ca.crt',
  'create serviceaccounts/token ns/sa',
  'list services ',
  'create events ns/',
  'update leases.coordination.k8s.io kube-node-lease/n1',
  'create leases.coordination.k8s.io kube-node-lease/',
  'create tokenreviews.authentication.k8s.io ',
];
const denied = [
  'patch nodes n2',
  'delete nodes n1',
  'list pods ',
  'list pods / spec.nodeName=n2',
  'get pods ns/q',
  'create pods ns/',
  'patch pods ns/p',
  'patch pods/status ns/q',
  'get secrets ns/other',
  'list secrets ns/',
  'list secrets ',
  'get secrets other/vol-secret',
  'update secrets ns/vol-secret',
  'get configmaps ns/other',
  'create serviceaccounts/token ns/default',
  'create services ns/',
  'delete events ns/e',
  'update leases.coordination.k8s.io kube-node-lease/n2',
  'update leases.coordination.k8s.io kube-system/kube-scheduler',
  'get deployments.apps ns/d',
  'create clusterrolebindings.rbac.authorization.k8s.io ',
];

test('a node may do what its pods need', (t) => {
  for (const text of allowed) t.equal(node.decide(asking(text), 'n1').allowed, true, text);
  t.end();
});

test('a node may do nothing else', (t) => {
  for (const text of denied) t.equal(node.decide(asking(text), 'n1').allowed, false, text);
  t.end();
});

const componentCases: [user: string, text: string, allowed: boolean][] = [
  ['system:kube-scheduler', 'create pods/binding ns/p', true],
  ['system:kube-scheduler', 'patch pods/status ns/p', true],
  ['system:kube-scheduler', 'watch nodes ', true],
  ['system:kube-scheduler', 'update leases.coordination.k8s.io kube-system/kube-scheduler', true],
  ['system:kube-scheduler', 'update leases.coordination.k8s.io kube-system/other', false],
  ['system:kube-scheduler', 'get secrets ns/s', false],
  ['system:kube-scheduler', 'create pods ns/', false],
  ['system:kube-proxy', 'watch endpointslices.discovery.k8s.io ', true],
  ['system:kube-proxy', 'watch services ', true],
  ['system:kube-proxy', 'update services ns/s', false],
  ['system:kube-proxy', 'list secrets ', false],
  ['system:kube-controller-manager', 'create pods ns/', true],
  ['system:kube-controller-manager', 'delete anything.example.com ns/x', true],
  ['system:kube-controller-manager', 'create namespaces ', true],
  ['system:kube-controller-manager', 'create certificatesigningrequests.certificates.k8s.io ', false],
  ['system:kube-controller-manager', 'impersonate users admin', false],
];

for (const [user, text, expected] of componentCases)
  test(`${user} ${expected ? 'may' : 'may not'} ${text.trim()}`, (t) => {
    const rules = userRules[user] ?? [];
    t.equal(
      rules.some((rule) => permits(rule, asking(text, user))),
      expected,
    );
    t.end();
  });
