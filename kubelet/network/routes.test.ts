import t from 'tap';
import { parseCIDR } from '../../api/net.ts';
import type { Node } from '../../api/types/core-v1.ts';
import { desiredRoutes, parseRoutes, planRoutes } from './routes.ts';

const node = (name: string, podCIDR?: string, address?: string): Node => ({
  metadata: { name },
  spec: { podCIDR },
  status: {
    addresses: address
      ? [
          { type: 'Hostname', address: name },
          { type: 'InternalIP', address },
        ]
      : [],
  },
});

t.test('every other node with a pod CIDR and an internal address needs a route', async (t) => {
  const nodes = [
    node('self', '10.244.0.0/24', '192.0.2.1'),
    node('two', '10.244.1.0/24', '192.0.2.2'),
    node('new', undefined, '192.0.2.3'),
    node('silent', '10.244.3.0/24'),
    node('broken', 'x', '192.0.2.4'),
    {
      ...node('leaving', '10.244.5.0/24', '192.0.2.5'),
      metadata: { name: 'leaving', deletionTimestamp: '2026-01-01T00:00:00Z' },
    },
  ];
  t.same(desiredRoutes(nodes, 'self'), [{ destination: '10.244.1.0/24', via: '192.0.2.2' }]);
});

t.test('only routes inside the cluster CIDR are ours', async (t) => {
  const json = JSON.stringify([
    { dst: '10.244.1.0/24', gateway: '192.0.2.2', protocol: '178' },
    { dst: '10.99.1.0/24', gateway: '192.0.2.2', protocol: '178' },
    { dst: 'default', gateway: '192.0.2.254', protocol: '178' },
  ]);
  t.same(parseRoutes(json, parseCIDR('10.244.0.0/16')!), [
    { destination: '10.244.1.0/24', via: '192.0.2.2' },
  ]);
  t.same(parseRoutes('', parseCIDR('10.244.0.0/16')!), []);
});

t.test('routes are added, moved and removed, and left alone when right', async (t) => {
  const route = (third: number, via: number) => ({
    destination: `10.244.${third}.0/24`,
    via: `192.0.2.${via}`,
  });
  t.same(planRoutes([route(1, 1), route(2, 2), route(3, 3)], [route(1, 1), route(2, 9), route(4, 4)]), [
    { type: 'delete', route: route(4, 4) },
    { type: 'replace', route: route(2, 2) },
    { type: 'replace', route: route(3, 3) },
  ]);
});
