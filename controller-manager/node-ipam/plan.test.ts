import t from 'tap';
import { parseCIDR } from '../../api/net.ts';
import { type CidrPool, overlap, planNodeCIDR } from './plan.ts';

const pool = (cluster: string, nodePrefix = 24, reserved?: string): CidrPool => ({
  cluster: parseCIDR(cluster)!,
  nodePrefix,
  ...(reserved && { reserved: parseCIDR(reserved)! }),
});

t.test('a node gets the first part that nobody has', async (t) => {
  t.equal(planNodeCIDR(pool('10.244.0.0/16'), []), '10.244.0.0/24');
  t.equal(planNodeCIDR(pool('10.244.0.0/16'), ['10.244.0.0/24', '10.244.2.0/24']), '10.244.1.0/24');
  t.equal(planNodeCIDR(pool('10.244.0.0/16'), ['10.9.0.0/24', 'nonsense']), '10.244.0.0/24');
});

t.test('parts of another size are respected', async (t) => {
  t.equal(planNodeCIDR(pool('10.244.0.0/16'), ['10.244.0.0/22']), '10.244.4.0/24');
  t.equal(planNodeCIDR(pool('10.244.0.0/16'), ['10.244.0.128/25']), '10.244.1.0/24');
});

t.test('the range of the services is left out', async (t) => {
  t.equal(planNodeCIDR(pool('10.0.0.0/8', 24, '10.0.0.0/16'), []), '10.1.0.0/24');
});

t.test('a full range gives nothing', async (t) => {
  t.equal(planNodeCIDR(pool('10.244.0.0/23'), ['10.244.0.0/24', '10.244.1.0/24']), undefined);
  t.equal(planNodeCIDR(pool('10.244.0.0/24'), ['10.0.0.0/8']), undefined);
});

t.test('networks overlap if one holds the beginning of the other', async (t) => {
  t.ok(overlap(parseCIDR('10.0.0.0/8')!, parseCIDR('10.1.0.0/16')!));
  t.ok(overlap(parseCIDR('10.1.0.0/16')!, parseCIDR('10.0.0.0/8')!));
  t.notOk(overlap(parseCIDR('10.1.0.0/16')!, parseCIDR('10.2.0.0/16')!));
});
