import t from 'tap';
import type { Service } from '../../api/types/core-v1.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import { type DnsRecord, resolveName, type Zone } from './zone.ts';

const services: Record<string, Service> = {
  'default/web': {
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      clusterIP: '10.96.0.7',
      ports: [
        { name: 'http', port: 80 },
        { name: 'metrics', port: 9100 },
      ],
    },
  },
  'default/db': {
    metadata: { name: 'db', namespace: 'default' },
    spec: { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] },
  },
  'default/early': {
    metadata: { name: 'early', namespace: 'default' },
    spec: { clusterIP: 'None', publishNotReadyAddresses: true },
  },
  'default/empty': { metadata: { name: 'empty', namespace: 'default' }, spec: { clusterIP: 'None' } },
  'default/alias': {
    metadata: { name: 'alias', namespace: 'default' },
    spec: { type: 'ExternalName', externalName: 'example.com' },
  },
};

const labels = (name: string) => ({ namespace: 'default', labels: { 'kubernetes.io/service-name': name } });
const slices: Record<string, EndpointSlice> = {
  'default/db': {
    addressType: 'IPv4',
    metadata: labels('db'),
    ports: [{ name: 'sql', port: 15432, protocol: 'TCP' }],
    endpoints: [
      { addresses: ['10.244.0.5'], hostname: 'db-0', conditions: { ready: true } },
      { addresses: ['10.244.0.6'], conditions: { ready: true } },
      { addresses: ['10.244.0.7'], hostname: 'db-2', conditions: { ready: false } },
    ],
  },
  'default/early': {
    addressType: 'IPv4',
    metadata: labels('early'),
    endpoints: [{ addresses: ['10.244.0.9'], conditions: { ready: false } }],
  },
};

const zone: Zone = {
  domain: 'cluster.local',
  ttl: 5,
  serial: 1,
  isClusterIP: (ip) => ip.startsWith('10.'),
  view: {
    service: (namespace, name) => services[`${namespace}/${name}`],
    slices: (namespace, name) => [slices[`${namespace}/${name}`]].filter((slice) => slice !== undefined),
    hasNamespace: (name) => name === 'default',
    serviceByIP: (ip) => Object.values(services).find((service) => service.spec?.clusterIP === ip),
    slicesByIP: (ip) =>
      Object.values(slices).filter((slice) =>
        slice.endpoints?.some((endpoint) => endpoint.addresses.includes(ip)),
      ),
  },
};

const text = (record: DnsRecord) => {
  const { data } = record;
  if (typeof data === 'string') return `${record.type} ${data}`;
  return 'port' in data ? `SRV ${data.priority} ${data.weight} ${data.port} ${data.target}` : 'SOA';
};

/** The answers as text; `-` for a name that exists without such data, `NXDOMAIN`, `forward`. */
function ask(name: string, type: string): string | string[] {
  const answer = resolveName(zone, name, type);
  if (!answer) return 'forward';
  if (answer.rcode === 'NXDOMAIN') return 'NXDOMAIN';
  return answer.answers.length ? answer.answers.map(text) : '-';
}

const cases: [name: string, type: string, expected: string | string[]][] = [
  ['web.default.svc.cluster.local', 'A', ['A 10.96.0.7']],
  ['WEB.Default.svc.CLUSTER.local', 'A', ['A 10.96.0.7']],
  ['web.default.svc.cluster.local', 'AAAA', '-'],
  ['web.default.svc.cluster.local', 'MX', '-'],
  ['web.other.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['absent.default.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['_http._tcp.web.default.svc.cluster.local', 'SRV', ['SRV 0 100 80 web.default.svc.cluster.local']],
  ['_HTTP._TCP.web.default.svc.cluster.local', 'SRV', ['SRV 0 100 80 web.default.svc.cluster.local']],
  ['_http._tcp.web.default.svc.cluster.local', 'A', '-'],
  ['_http._udp.web.default.svc.cluster.local', 'SRV', 'NXDOMAIN'],
  ['_tcp.web.default.svc.cluster.local', 'A', '-'],
  [
    'web.default.svc.cluster.local',
    'SRV',
    ['SRV 0 50 80 web.default.svc.cluster.local', 'SRV 0 50 9100 web.default.svc.cluster.local'],
  ],
  ['db.default.svc.cluster.local', 'A', ['A 10.244.0.5', 'A 10.244.0.6']],
  ['db-0.db.default.svc.cluster.local', 'A', ['A 10.244.0.5']],
  ['10-244-0-6.db.default.svc.cluster.local', 'A', ['A 10.244.0.6']],
  ['db-2.db.default.svc.cluster.local', 'A', 'NXDOMAIN'],
  [
    '_sql._tcp.db.default.svc.cluster.local',
    'SRV',
    [
      'SRV 0 50 15432 db-0.db.default.svc.cluster.local',
      'SRV 0 50 15432 10-244-0-6.db.default.svc.cluster.local',
    ],
  ],
  ['early.default.svc.cluster.local', 'A', ['A 10.244.0.9']],
  ['empty.default.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['alias.default.svc.cluster.local', 'A', ['CNAME example.com']],
  ['alias.default.svc.cluster.local', 'CNAME', ['CNAME example.com']],
  ['x.alias.default.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['10-244-0-5.default.pod.cluster.local', 'A', ['A 10.244.0.5']],
  ['10-244-0-5.default.pod.cluster.local', 'AAAA', '-'],
  ['10-244-0-5.other.pod.cluster.local', 'A', 'NXDOMAIN'],
  ['10-244-0-999.default.pod.cluster.local', 'A', 'NXDOMAIN'],
  ['default.svc.cluster.local', 'A', '-'],
  ['other.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['svc.cluster.local', 'A', '-'],
  ['nonsense.cluster.local', 'A', 'NXDOMAIN'],
  ['cluster.local', 'SOA', ['SOA']],
  ['cluster.local', 'NS', ['NS ns.dns.cluster.local']],
  ['dns-version.cluster.local', 'TXT', ['TXT 1.1.0']],
  ['7.0.96.10.in-addr.arpa', 'PTR', ['PTR web.default.svc.cluster.local']],
  ['5.0.244.10.in-addr.arpa', 'PTR', ['PTR db-0.db.default.svc.cluster.local']],
  ['9.9.244.10.in-addr.arpa', 'PTR', 'NXDOMAIN'],
  ['1.2.0.192.in-addr.arpa', 'PTR', 'forward'],
  ['example.com', 'A', 'forward'],
  ['mycluster.local', 'A', 'forward'],
  ['local', 'A', 'forward'],
];

t.test('the names of the Kubernetes DNS specification', async (t) => {
  for (const [name, type, expected] of cases) t.same(ask(name, type), expected, `${name} ${type}`);
});

t.test('an answer without records carries the SOA, so that it may be kept', async (t) => {
  for (const name of ['absent.default.svc.cluster.local', 'default.svc.cluster.local'])
    t.match(resolveName(zone, name, 'A')?.authorities, [{ type: 'SOA', name: 'cluster.local', ttl: 5 }]);
  t.same(resolveName(zone, 'web.default.svc.cluster.local', 'A')?.authorities, []);
});

t.test('locations come with the addresses of their targets', async (t) => {
  t.same(resolveName(zone, '_sql._tcp.db.default.svc.cluster.local', 'SRV')?.additionals.map(text), [
    'A 10.244.0.5',
    'A 10.244.0.6',
  ]);
});

t.test('an alias leaves its target to be resolved, unless only the alias was asked', async (t) => {
  t.equal(resolveName(zone, 'alias.default.svc.cluster.local', 'AAAA')?.chase, 'example.com');
  t.equal(resolveName(zone, 'alias.default.svc.cluster.local', 'CNAME')?.chase, undefined);
});
