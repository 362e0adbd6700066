import t from 'tap';
import type { Service } from '../api/types/core-v1.ts';
import type { Endpoint, EndpointSlice } from '../api/types/discovery-v1.ts';
import { planService } from './plan.ts';

const facts = { nodeName: 'node-1' };

function service(spec: Service['spec'], status?: Service['status']): Service {
  return {
    metadata: { name: 'web', namespace: 'default' },
    spec: { clusterIP: '10.96.1.1', ports: [{ port: 80 }], ...spec },
    status,
  };
}

function slice(endpoints: Endpoint[], more: Partial<EndpointSlice> = {}): EndpointSlice {
  return { addressType: 'IPv4', endpoints, ports: [{ port: 8080 }], ...more };
}

const ready = (ip: string, nodeName = 'node-1'): Endpoint => ({
  addresses: [ip],
  nodeName,
  conditions: { ready: true, serving: true, terminating: false },
});
const unready = (ip: string): Endpoint => ({
  addresses: [ip],
  conditions: { ready: false, serving: false, terminating: false },
});
const leaving = (ip: string): Endpoint => ({
  addresses: [ip],
  conditions: { ready: false, serving: true, terminating: true },
});

const keys = (plan: ReturnType<typeof planService>, scope: 'all' | 'node' = 'all') =>
  plan.ports.map((port) => port[scope].map((endpoint) => endpoint.key));
const listens = (plan: ReturnType<typeof planService>) =>
  plan.ports.flatMap((port) => port.frontends.map((frontend) => `${frontend.key} ${frontend.scope}`));

t.test('which endpoints are used', async (t) => {
  const cases: [string, Endpoint[], string[]][] = [
    ['ready ones only', [ready('10.0.0.1'), unready('10.0.0.2'), leaving('10.0.0.3')], ['10.0.0.1:8080']],
    ['no conditions mean ready', [{ addresses: ['10.0.0.1'] }], ['10.0.0.1:8080']],
    [
      'leaving ones that serve when none is ready',
      [leaving('10.0.0.3'), unready('10.0.0.2')],
      ['10.0.0.3:8080'],
    ],
    ['none when none serves', [unready('10.0.0.2')], []],
    ['one listed twice once', [ready('10.0.0.1'), ready('10.0.0.1')], ['10.0.0.1:8080']],
    [
      'ready wins while one moves between slices',
      [unready('10.0.0.1'), ready('10.0.0.1')],
      ['10.0.0.1:8080'],
    ],
  ];
  for (const [name, endpoints, expected] of cases)
    t.same(keys(planService(service({}), [slice(endpoints)], facts)), [expected], name);
});

t.test('where to listen', async (t) => {
  const slices = [slice([ready('10.0.0.1')])];
  const cases: [string, Service, string[]][] = [
    ['the cluster IP', service({}), ['TCP 10.96.1.1:80 all']],
    [
      'the node port',
      service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] }),
      ['TCP 10.96.1.1:80 all', 'TCP :30080 all'],
    ],
    [
      'external addresses',
      service({ externalIPs: ['192.0.2.7'] }),
      ['TCP 10.96.1.1:80 all', 'TCP 192.0.2.7:80 all'],
    ],
    [
      'what a load balancer was given',
      service({ type: 'LoadBalancer' }, { loadBalancer: { ingress: [{ ip: '192.0.2.8' }] } }),
      ['TCP 10.96.1.1:80 all', 'TCP 192.0.2.8:80 all'],
    ],
    ['not headless', service({ clusterIP: 'None' }), []],
    ['not an alias', service({ type: 'ExternalName', externalName: 'example.com' }), []],
    ['not before an address is given', service({ clusterIP: '' }), []],
    ['not SCTP', service({ ports: [{ port: 80, protocol: 'SCTP' }] }), []],
  ];
  for (const [name, object, expected] of cases)
    t.same(listens(planService(object, slices, facts)), expected, name);
});

t.test('nothing listens without an endpoint, so that clients are refused', async (t) => {
  t.same(listens(planService(service({}), [slice([unready('10.0.0.1')])], facts)), []);
  t.same(listens(planService(service({}), [], facts)), []);
  t.same(planService(undefined, [], facts).ports, []);
});

t.test('another proxy has its own services, and DNS its own address', async (t) => {
  const slices = [slice([ready('10.0.0.1')])];
  const labelled = service({});
  labelled.metadata!.labels = { 'service.kubernetes.io/service-proxy-name': 'other' };
  t.same(listens(planService(labelled, slices, facts)), []);
  const reserved = new Set(['10.96.1.1:80']);
  t.same(listens(planService(service({}), slices, { ...facts, reserved })), []);
});

t.test('named ports find the slice port of their name and protocol', async (t) => {
  const object = service({
    ports: [
      { name: 'http', port: 80 },
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'absent', port: 81 },
    ],
  });
  const slices = [
    slice([ready('10.0.0.1')], {
      ports: [
        { name: 'http', port: 8080, protocol: 'TCP' },
        { name: 'dns', port: 5353, protocol: 'UDP' },
      ],
    }),
    // A second slice may give the same name another number: pods of two versions.
    slice([ready('10.0.0.2')], { ports: [{ name: 'http', port: 9090 }] }),
  ];
  t.same(keys(planService(object, slices, facts)), [
    ['10.0.0.1:8080', '10.0.0.2:9090'],
    ['10.0.0.1:5353'],
    [],
  ]);
});

t.test('traffic policies', async (t) => {
  const slices = [slice([ready('10.0.0.1', 'node-1'), ready('10.0.0.2', 'node-2')])];
  const both = { ports: [{ port: 80, nodePort: 30080 }], type: 'NodePort' };
  const internal = planService(service({ ...both, internalTrafficPolicy: 'Local' }), slices, facts);
  t.same(listens(internal), ['TCP 10.96.1.1:80 node', 'TCP :30080 all']);
  t.same(keys(internal, 'node'), [['10.0.0.1:8080']]);
  const external = planService(service({ ...both, externalTrafficPolicy: 'Local' }), slices, facts);
  t.same(listens(external), ['TCP 10.96.1.1:80 all', 'TCP :30080 client']);
  const elsewhere = planService(service({ internalTrafficPolicy: 'Local' }), slices, { nodeName: 'node-3' });
  t.same(listens(elsewhere), [], 'no endpoint on this node: refused');
});

t.test('a load balancer can ask how many endpoints the node has', async (t) => {
  const slices = [slice([ready('10.0.0.1', 'node-1'), ready('10.0.0.2', 'node-2')])];
  const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 32000 };
  t.same(planService(service(spec), slices, facts).healthCheck, { port: 32000, localEndpoints: 1 });
  t.equal(
    planService(service({ ...spec, externalTrafficPolicy: 'Cluster' }), slices, facts).healthCheck,
    undefined,
  );
});

t.test('session affinity lasts three hours unless told otherwise', async (t) => {
  const affinity = (spec: Service['spec']) =>
    planService(service(spec), [slice([ready('10.0.0.1')])], facts).ports[0]!.affinitySeconds;
  t.equal(affinity({}), undefined);
  t.equal(affinity({ sessionAffinity: 'ClientIP' }), 10_800);
  t.equal(
    affinity({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } }),
    60,
  );
});

t.test('zone hints count only when every endpoint has them', async (t) => {
  const hinted = (ip: string, zone: string): Endpoint => ({
    ...ready(ip),
    hints: { forZones: [{ name: zone }] },
  });
  const zoned = { ...facts, zone: 'a' };
  const both = [hinted('10.0.0.1', 'a'), hinted('10.0.0.2', 'b')];
  t.same(keys(planService(service({}), [slice(both)], zoned)), [['10.0.0.1:8080']]);
  t.same(keys(planService(service({}), [slice([...both, ready('10.0.0.3')])], zoned))[0]!.length, 3);
  t.same(keys(planService(service({}), [slice(both)], { ...facts, zone: 'c' }))[0]!.length, 2);
});
