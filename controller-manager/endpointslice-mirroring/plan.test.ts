import t from 'tap';
import type { Endpoints } from '../../api/types/core-v1.ts';
import { aService } from '../testing/objects.ts';
import { isMirrored, managedBy, planMirror } from './plan.ts';

const endpoints = (more: Endpoints['metadata'] = {}): Endpoints => ({
  metadata: { name: 'db', namespace: 'ns', uid: 'uid-db', ...more },
  subsets: [
    {
      addresses: [{ ip: '192.0.2.1' }, { ip: 'fd00::1', hostname: 'a' }],
      notReadyAddresses: [{ ip: '192.0.2.2' }],
      ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
    },
  ],
});
const byHand = aService({ selector: undefined });
const limits = { maxEndpoints: 100, maxPerSubset: 1000 };

t.test('only Endpoints that were written by hand are mirrored', async (t) => {
  t.ok(isMirrored(endpoints(), byHand));
  t.notOk(isMirrored(endpoints(), undefined), 'no service');
  t.notOk(isMirrored(endpoints(), aService()), 'a service with a selector has slices of its own');
  t.notOk(isMirrored(endpoints({ labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }), byHand));
  t.notOk(
    isMirrored(endpoints({ annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } }), byHand),
  );
});

t.test('slices say what the Endpoints say', async (t) => {
  const plan = planMirror(endpoints({ labels: { team: 'x' } }), [], limits);
  t.match(plan.create, [
    {
      addressType: 'IPv4',
      metadata: {
        generateName: 'db-',
        labels: {
          team: 'x',
          'kubernetes.io/service-name': 'db',
          'endpointslice.kubernetes.io/managed-by': managedBy,
        },
        ownerReferences: [{ kind: 'Endpoints', name: 'db', uid: 'uid-db' }],
      },
      ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
      endpoints: [
        { addresses: ['192.0.2.1'], conditions: { ready: true } },
        { addresses: ['192.0.2.2'], conditions: { ready: false } },
      ],
    },
    { addressType: 'IPv6', endpoints: [{ addresses: ['fd00::1'], hostname: 'a' }] },
  ]);
  t.same(planMirror(endpoints({ labels: { team: 'x' } }), plan.create, limits), {
    create: [],
    update: [],
    delete: [],
  });
});

t.test('slices go with the Endpoints, and long subsets are cut', async (t) => {
  const { create } = planMirror(endpoints(), [], limits);
  t.equal(planMirror(undefined, create, limits).delete.length, 2);
  const cut = planMirror(endpoints(), [], { ...limits, maxPerSubset: 1 });
  t.same(
    cut.create.map((slice) => slice.endpoints?.length),
    [1],
  );
});
