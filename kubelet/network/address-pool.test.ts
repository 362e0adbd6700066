import t from 'tap';
import { parseCIDR } from '../../api/net.ts';
import { AddressPool } from './address-pool.ts';

const pool = (cidr: string) => new AddressPool(parseCIDR(cidr)!);

t.test('network, gateway and broadcast addresses are never given; the rest all are, once', async (t) => {
  const addresses = pool('10.244.1.0/29');
  const given = ['a', 'b', 'c', 'd', 'e'].map((uid) => addresses.allocate(uid));
  t.same(given, ['10.244.1.2', '10.244.1.3', '10.244.1.4', '10.244.1.5', '10.244.1.6']);
  t.throws(() => addresses.allocate('f'), /no free address left in the pod CIDR 10\.244\.1\.0\/29/);
});

t.test('a pod keeps its address while it holds it', async (t) => {
  const addresses = pool('10.244.1.0/24');
  t.equal(addresses.allocate('a'), addresses.allocate('a'));
  addresses.adopt('b', '10.244.1.77');
  t.equal(addresses.allocate('b'), '10.244.1.77');
});

t.test('an adopted address is not given to another pod until it is released', async (t) => {
  const addresses = pool('10.244.1.0/29');
  addresses.adopt('old', '10.244.1.2');
  t.equal(addresses.allocate('a'), '10.244.1.3');
  addresses.release('old');
  t.same(
    ['b', 'c', 'd', 'e'].map((uid) => addresses.allocate(uid)),
    ['10.244.1.4', '10.244.1.5', '10.244.1.6', '10.244.1.2'],
  );
});

t.test('a freed address is the last to be used again', async (t) => {
  const addresses = pool('10.244.1.0/29');
  addresses.allocate('a');
  addresses.release('a');
  t.equal(addresses.allocate('b'), '10.244.1.3');
});

t.test('in another CIDR a pod gets a new address, and foreign holders do not disturb', async (t) => {
  const addresses = pool('10.244.1.0/29');
  addresses.allocate('a');
  const moved = addresses.moveTo(parseCIDR('10.244.2.0/29')!);
  t.equal(moved.allocate('a'), '10.244.2.2');
});
