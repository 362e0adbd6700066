import t from 'tap';
import type { Lease } from '../api/types/coordination-v1.ts';
import { nextLease, planLease } from './leader-election.ts';

const lease = (holderIdentity: string, leaseDurationSeconds = 15): Lease => ({
  metadata: { name: 'x', namespace: 'kube-system', resourceVersion: '7' },
  spec: { holderIdentity, leaseDurationSeconds, leaseTransitions: 3, acquireTime: 'then' },
});

t.test('who may take the lease, and when', async (t) => {
  const options = { identity: 'me', leaseDuration: 15_000 };
  const cases: [string, Lease | undefined, number, string][] = [
    ['there is none', undefined, 0, 'create'],
    ['it is mine', lease('me'), 0, 'renew'],
    ['it was given up', lease(''), 0, 'take'],
    ['another renewed it just now', lease('you'), 14_999, 'wait'],
    ['another has been silent for its duration', lease('you'), 15_000, 'take'],
    ["the holder's own duration counts", lease('you', 60), 15_000, 'wait'],
  ];
  for (const [title, record, now, type] of cases)
    t.equal(planLease({ lease: record, changedAt: 0 }, { ...options, now }).type, type, title);
});

t.test('taking counts a transition, renewing does not', async (t) => {
  const options = { namespace: 'kube-system', name: 'x', identity: 'me', leaseDuration: 15_000 };
  const now = Date.parse('2030-01-02T03:04:05.678Z');
  const taken = nextLease(lease('you'), { type: 'take' }, options, now);
  t.match(taken.spec, {
    holderIdentity: 'me',
    leaseTransitions: 4,
    leaseDurationSeconds: 15,
    acquireTime: '2030-01-02T03:04:05.678000Z',
    renewTime: '2030-01-02T03:04:05.678000Z',
  });
  t.equal(taken.metadata?.resourceVersion, '7', 'the write is guarded by what was seen');
  const renewed = nextLease(taken, { type: 'renew' }, options, now + 2000);
  t.equal(renewed.spec?.leaseTransitions, 4);
  t.equal(renewed.spec?.acquireTime, taken.spec?.acquireTime);
  t.equal(renewed.spec?.renewTime, '2030-01-02T03:04:07.678000Z');
  const created = nextLease(undefined, { type: 'create' }, options, now);
  t.strictSame(created.metadata, { name: 'x', namespace: 'kube-system' });
  t.equal(created.spec?.leaseTransitions, 0);
});
