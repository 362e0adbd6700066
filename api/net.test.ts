import t from 'tap';
import {
  addressAt,
  cidrContains,
  formatCIDR,
  formatIPv4,
  parseCIDR,
  parseHostPort,
  parseIPv4,
  subnetAt,
  unmapIPv4,
} from './net.ts';

t.test('IPv4 text and number convert both ways', async (t) => {
  for (const [text, number] of [
    ['0.0.0.0', 0],
    ['10.96.0.1', 0x0a600001],
    ['255.255.255.255', 0xffffffff],
  ] as const) {
    t.equal(parseIPv4(text), number);
    t.equal(formatIPv4(number), text);
  }
});

t.test('what is not IPv4 is refused, leading zeros too', async (t) => {
  for (const text of ['', '10.96.0', '10.96.0.256', '10.096.0.1', '::1', '1.2.3.4 ', 'a.b.c.d'])
    t.equal(parseIPv4(text), undefined, JSON.stringify(text));
});

t.test('CIDRs parse with host bits cleared and know their members', async (t) => {
  const cidr = parseCIDR('10.96.7.9/16')!;
  t.equal(formatCIDR(cidr), '10.96.0.0/16');
  t.ok(cidrContains(cidr, '10.96.255.255'));
  t.notOk(cidrContains(cidr, '10.97.0.0'));
  t.notOk(cidrContains(cidr, 'fe80::1'));
  t.equal(addressAt(cidr, 10), '10.96.0.10');
  t.throws(() => addressAt(cidr, 65536), RangeError);
  t.ok(cidrContains(parseCIDR('0.0.0.0/0')!, '255.1.2.3'));
  for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', 'x/8'])
    t.equal(parseCIDR(text), undefined, text);
});

t.test('a network is cut into equal parts', async (t) => {
  const cidr = parseCIDR('10.244.0.0/16')!;
  t.equal(formatCIDR(subnetAt(cidr, 24, 2)!), '10.244.2.0/24');
  t.equal(subnetAt(cidr, 24, 256), undefined);
  t.equal(subnetAt(cidr, 8, 0), undefined);
});

t.test('host and port of flags', async (t) => {
  t.same(parseHostPort('0.0.0.0:10256'), { host: '0.0.0.0', port: 10256 });
  t.same(parseHostPort(':10256'), { host: '', port: 10256 });
  t.same(parseHostPort('[::1]:80'), { host: '::1', port: 80 });
  for (const text of ['10256', 'host:', 'host:99999', '::1:80'])
    t.equal(parseHostPort(text), undefined, text);
});

t.test('addresses of dual-stack sockets lose their IPv6 prefix', async (t) => {
  t.equal(unmapIPv4('::ffff:10.0.0.1'), '10.0.0.1');
  t.equal(unmapIPv4('::1'), '::1');
});
