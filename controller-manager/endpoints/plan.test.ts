import t from 'tap';
import type { Pod } from '../../api/types/core-v1.ts';
import { targetPortOf } from '../common/service-pods.ts';
import { aPod, aService, at, type PodFacts } from '../testing/objects.ts';
import { managedBy, planEndpoints, planSubsets, truncate } from './plan.ts';

const pod = (name: string, ip: string, facts: PodFacts = {}): Pod =>
  aPod(name, { ip, node: 'n', readySince: 0, ...facts });

t.test('ready and unready pods stand apart, in the order of their addresses', async (t) => {
  const pods = [
    pod('b', '10.0.0.2'),
    pod('a', '10.0.0.1'),
    pod('slow', '10.0.0.3', { readySince: undefined }),
    pod('ended', '10.0.0.4', { phase: 'Succeeded' }),
    pod('leaving', '10.0.0.5', { deleted: true }),
    aPod('without-address', { readySince: 0 }),
  ];
  t.match(planSubsets(aService(), pods), [
    {
      addresses: [
        {
          ip: '10.0.0.1',
          nodeName: 'n',
          targetRef: { kind: 'Pod', name: 'a', namespace: 'ns', uid: 'uid-a' },
        },
        { ip: '10.0.0.2' },
      ],
      notReadyAddresses: [{ ip: '10.0.0.3' }],
      ports: [{ port: 8080, protocol: 'TCP' }],
    },
  ]);
  t.equal(planSubsets(aService(), pods)[0]?.notReadyAddresses?.length, 1);
});

t.test('a service may publish pods that are not ready or on their way out', async (t) => {
  const service = aService({ publishNotReadyAddresses: true });
  const pods = [
    pod('slow', '10.0.0.3', { readySince: undefined }),
    pod('leaving', '10.0.0.5', { deleted: true }),
  ];
  t.same(
    planSubsets(service, pods)[0]?.addresses?.map(({ ip }) => ip),
    ['10.0.0.3', '10.0.0.5'],
  );
});

t.test('named ports are looked up in each pod', async (t) => {
  const service = aService({ ports: [{ name: 'web', port: 80, targetPort: 'http', protocol: 'TCP' }] });
  const serving = (name: string, ip: string, containerPort: number) =>
    pod(name, ip, {
      spec: { containers: [{ name: 'c', ports: [{ name: 'http', containerPort, protocol: 'TCP' }] }] },
    });
  const subsets = planSubsets(service, [
    serving('a', '10.0.0.1', 80),
    serving('b', '10.0.0.2', 81),
    pod('c', '10.0.0.3'),
  ]);
  t.same(
    subsets.map(({ ports, addresses }) => [ports?.[0]?.port, addresses?.map(({ ip }) => ip)]),
    [
      [80, ['10.0.0.1']],
      [81, ['10.0.0.2']],
    ],
    'a pod without the port is left out',
  );
});

t.test('a port leads to the number or name of the same protocol', async (t) => {
  const ports = [
    { name: 'dns', containerPort: 53, protocol: 'UDP' },
    { name: 'dns', containerPort: 54, protocol: 'TCP' },
  ];
  const serving = aPod('p', { spec: { containers: [{ name: 'c', ports }] } });
  t.equal(targetPortOf(serving, { port: 1, targetPort: 'dns', protocol: 'TCP' }), 54);
  t.equal(targetPortOf(serving, { port: 1, targetPort: 'other' }), undefined);
  t.equal(targetPortOf(serving, { port: 1, targetPort: 9 }), 9);
  t.equal(targetPortOf(serving, { port: 7 }), 7);
});

t.test(
  'a headless service without ports still tells addresses, with the hostnames of its subdomain',
  async (t) => {
    const service = aService({ clusterIP: 'None', ports: undefined });
    const named = pod('a', '10.0.0.1', { spec: { hostname: 'web-0', subdomain: 'web' } });
    const foreign = pod('b', '10.0.0.2', { spec: { hostname: 'web-1', subdomain: 'other' } });
    const [subset] = planSubsets(service, [named, foreign]);
    t.match(subset?.addresses, [{ ip: '10.0.0.1', hostname: 'web-0' }, { ip: '10.0.0.2' }]);
    t.equal(subset?.addresses?.[1]?.hostname, undefined);
    t.equal(subset?.ports, undefined);
    t.same(planSubsets(aService({ ports: [] }), [named]), [], 'one with an address needs ports');
  },
);

t.test('more than the limit is cut, the unready first', async (t) => {
  const addresses = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({ ip: `${prefix}.${i}` }));
  const { subsets, cut } = truncate(
    [
      { addresses: addresses('a', 3), notReadyAddresses: addresses('b', 4) },
      { addresses: addresses('c', 3), notReadyAddresses: addresses('d', 4) },
    ],
    8,
  );
  t.ok(cut);
  t.same(
    subsets.map((subset) => [subset.addresses?.length, subset.notReadyAddresses?.length ?? 0]),
    [
      [3, 2],
      [3, 0],
    ],
  );
  t.notOk(truncate([{ addresses: addresses('a', 3) }], 3).cut);
});

t.test(
  'Endpoints carry the labels of their service and are written only when something changes',
  async (t) => {
    const service = aService({}, { labels: { team: 'x' } });
    const pods = [pod('a', '10.0.0.1')];
    const first = planEndpoints({ service, pods, present: undefined, now: 5000 });
    t.match(first?.metadata, {
      name: 'web',
      namespace: 'ns',
      labels: { team: 'x', 'endpoints.kubernetes.io/managed-by': managedBy },
      annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': at(5) },
    });
    t.equal(planEndpoints({ service, pods, present: first, now: 9000 }), undefined);
    t.ok(planEndpoints({ service, pods: [], present: first, now: 9000 }));
    const headless = planEndpoints({
      service: aService({ clusterIP: 'None' }),
      pods,
      present: first,
      now: 9000,
    });
    t.equal(headless?.metadata?.labels?.['service.kubernetes.io/headless'], '');
    t.equal(headless?.metadata?.labels?.team, undefined);
  },
);

t.test('Endpoints that were cut say so', async (t) => {
  const pods = Array.from({ length: 1001 }, (_, i) => pod(`p${i}`, `10.1.${i >> 8}.${i & 255}`));
  const cut = planEndpoints({ service: aService(), pods, present: undefined, now: 0 });
  t.equal(cut?.subsets?.[0]?.addresses?.length, 1000);
  t.equal(cut?.metadata?.annotations?.['endpoints.kubernetes.io/over-capacity'], 'truncated');
  const whole = planEndpoints({ service: aService(), pods: pods.slice(1), present: cut, now: 0 });
  t.equal(whole?.metadata?.annotations?.['endpoints.kubernetes.io/over-capacity'], undefined);
});
