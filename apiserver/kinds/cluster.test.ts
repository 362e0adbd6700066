import t from 'tap';
import { humanDuration } from './common.ts';
import { endpointSlice } from './endpoint-slice.ts';
import { endpoints, endpointsText } from './endpoints.ts';
import { event } from './event.ts';
import { lease } from './lease.ts';
import { namespace } from './namespace.ts';
import { node } from './node.ts';
import { created, problems, row, statusUpdated, updated } from './test-support.ts';

t.test('a namespace is active, labelled with its name, and held by its finalizer', async (t) => {
  const object = created(namespace, { metadata: { name: 'team' } });
  t.same(object.status, { phase: 'Active' });
  t.same(object.spec, { finalizers: ['kubernetes'] });
  t.same(object.metadata?.labels, { 'kubernetes.io/metadata.name': 'team' });
  t.same(problems(namespace, { metadata: { name: 'team' } }), []);
  t.match(problems(namespace, { metadata: { name: 'a.b' } }), [
    'metadata.name: Invalid value: "a.b": must not contain dots',
  ]);
  const { object: next } = updated(namespace, object, (item) => {
    item.spec = {};
    item.status = { phase: 'Terminating' };
    delete item.metadata?.labels;
  });
  t.same(next.spec, { finalizers: ['kubernetes'] });
  t.same(next.status, { phase: 'Active' });
  t.equal(next.metadata?.labels?.['kubernetes.io/metadata.name'], 'team', 'the label cannot be taken away');
});

t.test('a node’s range and provider are set once; its status only through its status', async (t) => {
  const before = created(node, {
    spec: { podCIDR: '10.244.0.0/24', providerID: 'a' },
    status: { capacity: { cpu: '2' } },
  });
  t.same(before.spec?.podCIDRs, ['10.244.0.0/24']);
  t.same(before.status?.allocatable, { cpu: '2' });
  const { object, problems: found } = updated(node, before, (next) => {
    next.spec = { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24'], providerID: 'b' };
    next.status = {};
  });
  t.same(found, [
    'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
    'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
  ]);
  t.same(object.status, before.status);
  t.same(
    statusUpdated(node, before, (next) => {
      next.status = { capacity: { cpu: '-1' } };
    }).problems,
    ['status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0'],
  );
});

t.test('taints must be well-formed and unique by key and effect', async (t) => {
  const taint = { key: 'a', effect: 'NoSchedule' };
  t.same(
    problems(node, { spec: { taints: [taint, { ...taint, value: 'x' }, { key: 'b', effect: 'Maybe' }] } }),
    [
      'metadata.taints[1]: Duplicate value: {"key":"a","effect":"NoSchedule","value":"x"}: taints must be unique by key and effect pair',
      'metadata.taints[2].effect: Unsupported value: "Maybe": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ],
  );
});

t.test('kubectl get shows nodes', async (t) => {
  const object = {
    metadata: {
      name: 'n',
      labels: { 'node-role.kubernetes.io/control-plane': '', 'kubernetes.io/role': 'db' },
    },
    spec: { unschedulable: true },
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
      nodeInfo: {
        kubeletVersion: 'v1.36.0',
        osImage: 'Debian',
        kernelVersion: '6.1',
        containerRuntimeVersion: 'docker://20',
      },
    },
  };
  t.same(row(node, object), {
    Name: 'n',
    Status: 'Ready,SchedulingDisabled',
    Roles: 'control-plane,db',
    Age: '<unknown>',
    Version: 'v1.36.0',
    'Internal-IP': '192.0.2.1',
    'External-IP': '<none>',
    'OS-Image': 'Debian',
    'Kernel-Version': '6.1',
    'Container-Runtime': 'docker://20',
  });
  t.match(row(node, { metadata: {}, status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }), {
    Status: 'NotReady',
    Roles: '<none>',
  });
  t.match(row(node, { metadata: {} }), { Status: 'Unknown' });
});

t.test('endpoints need addresses, and ports names if there are several', async (t) => {
  t.same(problems(endpoints, { subsets: [{ ports: [{ port: 80 }, { port: 81, name: 'b' }] }] }), [
    'subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`',
    'subsets[0].ports[0].name: Required value',
  ]);
  t.same(problems(endpoints, { subsets: [{ addresses: [{ ip: 'x' }] }] }), [
    'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
  ]);
  const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'].map((ip) => ({ ip }));
  t.equal(
    endpointsText({ subsets: [{ addresses, ports: [{ port: 80 }] }] }),
    '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...',
  );
  t.equal(endpointsText({}), '<none>');
});

t.test('the address type of a slice is fixed and its addresses are of that type', async (t) => {
  const slice = { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }], ports: [{ port: 80 }] };
  t.same(problems(endpointSlice, slice), []);
  t.same(problems(endpointSlice, { ...slice, endpoints: [{ addresses: ['::1'] }, {}] }), [
    'endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address',
    'endpoints[1].addresses: Required value: must contain at least 1 address',
  ]);
  t.same(
    updated(endpointSlice, created(endpointSlice, slice), (next) => {
      next.addressType = 'FQDN';
    }).problems,
    ['addressType: Invalid value: "FQDN": field is immutable'],
  );
  t.same(created(endpointSlice, slice).ports, [{ port: 80, name: '', protocol: 'TCP' }]);
  t.match(row(endpointSlice, created(endpointSlice, slice)), {
    AddressType: 'IPv4',
    Ports: '80',
    Endpoints: '10.0.0.1',
  });
});

t.test('a lease lasts some time', async (t) => {
  t.same(problems(lease, { spec: { leaseDurationSeconds: 0, leaseTransitions: -1 } }), [
    'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
    'spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0',
  ]);
  t.match(row(lease, { metadata: {}, spec: { holderIdentity: 'me' } }), { Holder: 'me' });
});

t.test('an event is in the namespace of its object and is shown by when it was last seen', async (t) => {
  const base = { involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' } };
  t.same(problems(event, base), []);
  t.same(problems(event, { involvedObject: { ...base.involvedObject, namespace: 'other' } }), [
    'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
  ]);
  const object = {
    ...base,
    metadata: { name: 'p.1' },
    type: 'Warning',
    reason: 'BackOff',
    message: ' Back-off restarting \n',
    count: 3,
    firstTimestamp: '2024-01-02T03:00:05Z',
    lastTimestamp: '2024-01-02T03:03:55Z',
    source: { component: 'kubelet', host: 'n' },
  };
  t.same(row(event, object), {
    'Last Seen': '10s',
    Type: 'Warning',
    Reason: 'BackOff',
    Object: 'pod/p',
    Subobject: '',
    Source: 'kubelet, n',
    Message: 'Back-off restarting',
    'First Seen': '4m',
    Count: 3,
    Name: 'p.1',
  });
  t.equal(event.selectableFields?.['involvedObject.name']?.(object), 'p');
  t.equal(event.selectableFields?.source?.(object), 'kubelet');
});

const spans: [seconds: number, text: string][] = [
  [-5, '<invalid>'],
  [-1, '0s'],
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [190, '3m10s'],
  [600, '10m'],
  [3 * 3600 - 1, '179m'],
  [3 * 3600, '3h'],
  [3 * 3600 + 60, '3h1m'],
  [8 * 3600 + 60, '8h'],
  [48 * 3600, '2d'],
  [50 * 3600, '2d2h'],
  [9 * 86400, '9d'],
  [800 * 86400, '2y70d'],
  [9 * 365 * 86400, '9y'],
];

for (const [seconds, text] of spans)
  t.test(`${seconds} seconds are shown as ${text}`, async (t) => {
    t.equal(humanDuration(seconds * 1000), text);
  });
