import t from 'tap';
import { aNode, aPod, aService, type PodFacts } from '../testing/objects.ts';
import { desiredGroups, managedBy, planSlices } from './plan.ts';

const pod = (name: string, ip: string, facts: PodFacts = {}) =>
  aPod(name, { ip, node: 'n', readySince: 0, ...facts });
const nodeOf = () => ({
  ...aNode('n'),
  metadata: { name: 'n', labels: { 'topology.kubernetes.io/zone': 'z1' } },
});
const endpointsOf = (service: ReturnType<typeof aService>, pods: ReturnType<typeof pod>[]) =>
  desiredGroups({ service, pods, slices: [], nodeOf })[0]?.endpoints;

t.test('an endpoint tells whether it is ready, serving and terminating', async (t) => {
  const pods = [
    pod('ready', '10.0.0.1'),
    pod('slow', '10.0.0.2', { readySince: undefined }),
    pod('leaving', '10.0.0.3', { deleted: true }),
    pod('ended', '10.0.0.4', { phase: 'Failed' }),
  ];
  t.match(endpointsOf(aService(), pods), [
    {
      addresses: ['10.0.0.1'],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: 'n',
      zone: 'z1',
      targetRef: { kind: 'Pod', name: 'ready', namespace: 'ns', uid: 'uid-ready' },
    },
    { addresses: ['10.0.0.2'], conditions: { ready: false, serving: false, terminating: false } },
    { addresses: ['10.0.0.3'], conditions: { ready: false, serving: true, terminating: true } },
  ]);
  const all = endpointsOf(aService({ publishNotReadyAddresses: true }), pods);
  t.same(
    all?.map((endpoint) => endpoint.conditions?.ready),
    [true, true, true],
  );
});

t.test('each address family has slices of its own', async (t) => {
  const both = pod('a', '10.0.0.1', {
    status: { podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }], phase: 'Running' },
  });
  const service = aService({ ipFamilies: ['IPv4', 'IPv6'] });
  const groups = desiredGroups({ service, pods: [both], slices: [], nodeOf });
  t.same(
    groups.map((group) => [group.addressType, group.endpoints.map(({ addresses }) => addresses[0])]),
    [
      ['IPv4', ['10.0.0.1']],
      ['IPv6', ['fd00::1']],
    ],
  );
});

t.test('a slice belongs to its service and says who wrote it', async (t) => {
  const service = aService({}, { labels: { team: 'x' } });
  const plan = planSlices(
    { service, pods: [pod('a', '10.0.0.1')], slices: [], nodeOf },
    { maxEndpoints: 100, now: 0 },
  );
  t.match(plan.create, [
    {
      metadata: {
        generateName: 'web-',
        namespace: 'ns',
        labels: {
          team: 'x',
          'kubernetes.io/service-name': 'web',
          'endpointslice.kubernetes.io/managed-by': managedBy,
        },
        ownerReferences: [{ kind: 'Service', name: 'web', uid: 'uid-service', controller: true }],
      },
      addressType: 'IPv4',
      ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    },
  ]);
});

t.test('a service without pods has one empty slice', async (t) => {
  const observed = { service: aService(), pods: [], slices: [], nodeOf };
  const plan = planSlices(observed, { maxEndpoints: 100, now: 0 });
  t.match(plan.create, [{ endpoints: [], ports: [] }]);
  const again = planSlices({ ...observed, slices: plan.create }, { maxEndpoints: 100, now: 9000 });
  t.same(again, { create: [], update: [], delete: [] });
});
