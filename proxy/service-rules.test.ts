import t from 'tap';
import { chainOf, chainRules } from './service-rules.ts';

const options = { clusterName: 'lab', serviceCIDR: '10.96.0.0/16' };

t.test('the chain leads diverted ports elsewhere and accepts the rest', async (t) => {
  const chain = chainOf(options);
  t.ok(chain.length <= 28, 'iptables takes no longer names');
  t.equal(
    chainRules(options, [
      { protocol: 'TCP', address: '10.96.0.7', port: 80, to: 40_000 },
      { protocol: 'UDP', address: '10.96.0.10', port: 53, to: 40_001 },
    ]),
    [
      '*nat',
      `:${chain} - [0:0]`,
      `-A ${chain} -d 10.96.0.7/32 -p tcp --dport 80 -m comment --comment nekalakube:lab -j DNAT --to-destination 10.96.0.7:40000`,
      `-A ${chain} -d 10.96.0.10/32 -p udp --dport 53 -m comment --comment nekalakube:lab -j DNAT --to-destination 10.96.0.10:40001`,
      `-A ${chain} -m comment --comment nekalakube:lab -j ACCEPT`,
      'COMMIT',
      '',
    ].join('\n'),
  );
});

t.test('clusters side by side have chains of their own', async (t) => {
  t.not(chainOf(options), chainOf({ ...options, serviceCIDR: '10.97.0.0/16' }));
  t.not(chainOf(options), chainOf({ ...options, clusterName: 'other' }));
});
