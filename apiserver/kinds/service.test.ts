import t from 'tap';
import { service } from './service.ts';
import { created, problems, row, statusUpdated, updated } from './test-support.ts';

const port = { port: 80 };

t.test('a service gets the defaults of Kubernetes', async (t) => {
  t.same(created(service, { spec: { ports: [port] } }).spec, {
    ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    sessionAffinity: 'None',
    type: 'ClusterIP',
    internalTrafficPolicy: 'Cluster',
  });
  t.match(
    created(service, { spec: { type: 'LoadBalancer', ports: [port], sessionAffinity: 'ClientIP' } }).spec,
    {
      externalTrafficPolicy: 'Cluster',
      allocateLoadBalancerNodePorts: true,
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
    },
  );
  t.same(created(service, { spec: { ports: [port] } }).status, { loadBalancer: {} });
});

const refused: [spec: object, errors: string[]][] = [
  [{}, ['spec.ports: Required value']],
  [{ clusterIP: 'None' }, []],
  [
    { ports: [{ port: 0, targetPort: 80 }] },
    ['spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive'],
  ],
  [
    { ports: [{ port: 80, targetPort: 'not_a_name' }] },
    [
      'spec.ports[0].targetPort: Invalid value: "not_a_name": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
    ],
  ],
  [
    { ports: [port, { port: 81 }] },
    ['spec.ports[0].name: Required value', 'spec.ports[1].name: Required value'],
  ],
  [
    {
      ports: [
        { ...port, name: 'a' },
        { ...port, name: 'a' },
      ],
    },
    [
      'spec.ports[1].name: Duplicate value: "a"',
      'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}',
    ],
  ],
  [
    { ports: [{ ...port, protocol: 'ICMP' }] },
    ['spec.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
  ],
  [
    { type: 'Foo', ports: [port] },
    [
      'spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
  ],
  [
    { ports: [{ ...port, nodePort: 30000 }] },
    ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
  ],
  [
    { type: 'NodePort', clusterIP: 'None', ports: [port] },
    [`spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for NodePort services`],
  ],
  [
    { clusterIP: '1.2.3', ports: [port] },
    [
      'spec.clusterIPs[0]: Invalid value: "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
  ],
  [{ type: 'ExternalName' }, ['spec.externalName: Required value']],
  [{ type: 'ExternalName', externalName: 'example.com.' }, []],
  [
    { sessionAffinity: 'Always', ports: [port] },
    ['spec.sessionAffinity: Unsupported value: "Always": supported values: "ClientIP", "None"'],
  ],
  [
    {
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 90_000 } },
      ports: [port],
    },
    [
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be greater than 0 and less than 86400',
    ],
  ],
  [
    { externalTrafficPolicy: 'Local', ports: [port] },
    [
      'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
    ],
  ],
  [
    { externalIPs: ['127.0.0.1'], ports: [port], externalTrafficPolicy: 'Cluster' },
    [
      'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ],
  ],
];

for (const [spec, errors] of refused)
  t.test(`a service ${errors.length ? 'is refused' : 'is good'}: ${JSON.stringify(spec)}`, async (t) => {
    t.same(problems(service, { spec }), errors);
  });

t.test('the name of a service is a DNS-1035 label', async (t) => {
  t.match(problems(service, { metadata: { name: '1web' }, spec: { ports: [port] } }), [
    /^metadata\.name: Invalid value: "1web": a DNS-1035 label must consist of/,
  ]);
});

const allocated = {
  spec: { clusterIP: '10.96.0.5', ports: [port], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
};

t.test('an update that names no address keeps it; another one is refused', async (t) => {
  const before = created(service, allocated);
  const kept = updated(service, before, (next) => {
    next.spec = { ports: [{ port: 81 }] };
  });
  t.same(kept.problems, []);
  t.match(kept.object.spec, { clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.5'], ipFamilies: ['IPv4'] });
  t.same(
    updated(service, before, (next) => {
      next.spec!.clusterIP = '10.96.0.6';
    }).problems,
    ['spec.clusterIPs[0]: Invalid value: ["10.96.0.6"]: may not change once set'],
  );
});

t.test('only the status changes through the status', async (t) => {
  const before = created(service, allocated);
  const { object } = statusUpdated(service, before, (next) => {
    next.spec!.ports = [];
    next.status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } };
  });
  t.same(object.spec, before.spec);
  t.same(object.status, { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } });
});

t.test('kubectl get shows addresses and ports', async (t) => {
  const object = created(service, {
    metadata: { creationTimestamp: '2024-01-02T03:00:05Z' },
    spec: {
      type: 'NodePort',
      clusterIP: '10.96.0.5',
      selector: { b: '2', a: '1' },
      ports: [
        { port: 80, nodePort: 30080, name: 'a' },
        { port: 53, protocol: 'UDP', name: 'b' },
      ],
    },
  });
  t.same(row(service, object), {
    Name: 'x',
    Type: 'NodePort',
    'Cluster-IP': '10.96.0.5',
    'External-IP': '<none>',
    'Port(s)': '80:30080/TCP,53/UDP',
    Age: '4m',
    Selector: 'a=1,b=2',
  });
  t.match(row(service, created(service, { spec: { type: 'LoadBalancer', ports: [port] } })), {
    'External-IP': '<pending>',
  });
  t.match(row(service, created(service, { spec: { type: 'ExternalName', externalName: 'a.b' } })), {
    'External-IP': 'a.b',
    'Cluster-IP': '<none>',
    'Port(s)': '<none>',
  });
});
