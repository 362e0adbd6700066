import t from 'tap';
import { planFirewall, planFirewallRemoval } from './firewall.ts';

const config = {
  clusterName: 'lab',
  bridge: 'nkube0',
  podCIDR: '10.244.1.0/24',
  clusterCIDR: '10.244.0.0/16',
  serviceCIDR: '10.96.0.0/16',
};
const withDocker = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [12:3456]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j RETURN
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
`;
const forward = 'NKUBE-FORWARD-5ab1b0ce';
const masquerade = 'NKUBE-MASQ-5ab1b0ce';
const note = '-m comment --comment nekalakube:lab';

/** What the plan would do to the saved rules, for plans that only declare, insert and append. */
function apply(saved: string, plan: string): string {
  const lines = saved.split('\n');
  let table = 0;
  for (const line of plan.split('\n')) {
    if (line.startsWith('*')) table = lines.indexOf(line);
    const chain = line.split(' ')[1];
    if (line.startsWith(':') && !lines.includes(line)) lines.splice(table + 1, 0, line);
    if (line.startsWith('-A')) lines.splice(lines.indexOf('COMMIT', table), 0, line);
    if (line.startsWith('-I')) {
      const first = lines.findIndex((other) => other.startsWith(`-A ${chain} `));
      const at = first < 0 ? lines.indexOf('COMMIT', table) : first;
      lines.splice(at, 0, line.replace(/^-I (\S+) 1 /, '-A $1 '));
    }
  }
  return lines.join('\n');
}

t.test(
  'pod traffic is accepted before Docker isolates networks, and masqueraded only towards the world',
  async (t) => {
    t.equal(
      planFirewall(withDocker, config)?.replaceAll(/-[0-9a-f]{8}\b/g, '-5ab1b0ce'),
      `*filter
:${forward} - [0:0]
-A ${forward} -s 10.244.0.0/16 ${note} -j ACCEPT
-A ${forward} -d 10.244.0.0/16 ${note} -j ACCEPT
-I DOCKER-USER 1 ${note} -j ${forward}
COMMIT
*nat
:${masquerade} - [0:0]
-A ${masquerade} -s 10.244.1.0/24 -d 10.244.0.0/16 ${note} -j RETURN
-A ${masquerade} -s 10.244.1.0/24 -d 10.96.0.0/16 ${note} -j RETURN
-A ${masquerade} -s 10.244.1.0/24 -d 224.0.0.0/4 ${note} -j RETURN
-A ${masquerade} -s 10.244.1.0/24 ! -o nkube0 ${note} -j MASQUERADE
-I POSTROUTING 1 ${note} -j ${masquerade}
COMMIT
`,
    );
  },
);

t.test('where everything is right there is nothing to do, quoted comments or not', async (t) => {
  const right = apply(withDocker, planFirewall(withDocker, config)!);
  t.equal(planFirewall(right, config), undefined);
  t.equal(planFirewall(right.replaceAll('nekalakube:lab', '"nekalakube:lab"'), config), undefined);
});

t.test('every way in which rules can be wrong is repaired', async (t) => {
  const right = apply(withDocker, planFirewall(withDocker, config)!);
  const jump = right.split('\n').find((line) => line.startsWith('-A DOCKER-USER -m'))!;
  const masqueradeRule = right
    .split('\n')
    .find((line) => line.endsWith('-j MASQUERADE') && line.includes('NKUBE'))!;
  const cases: [string, string][] = [
    ['a missing jump', right.replace(`${jump}\n`, '')],
    [
      'a jump after the end of the chain',
      right.replace(`${jump}\n-A DOCKER-USER -j RETURN`, `-A DOCKER-USER -j RETURN\n${jump}`),
    ],
    ['a doubled jump', right.replace(jump, `${jump}\n${jump}`)],
    ['a jump from the wrong chain', right.replace(jump, jump.replace('DOCKER-USER', 'FORWARD'))],
    ['a missing rule', right.replace(`${masqueradeRule}\n`, '')],
    ['rules of an old pod CIDR', right.replaceAll('-s 10.244.1.0/24', '-s 10.244.9.0/24')],
  ];
  for (const [name, saved] of cases) {
    t.not(saved, right, `${name} is a different state`);
    t.type(planFirewall(saved, config), 'string', name);
  }
  t.match(
    planFirewall(right.replace(jump, jump.replace('DOCKER-USER', 'FORWARD')), config),
    new RegExp(`-D FORWARD ${note} -j NKUBE-FORWARD`),
    'the wrong jump is taken away',
  );
});

t.test('without Docker rules the jump is in FORWARD', async (t) => {
  t.match(planFirewall('*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n', config), `-I FORWARD 1 ${note}`);
});

t.test('removal takes exactly the rules of this cluster name', async (t) => {
  const one = apply(withDocker, planFirewall(withDocker, config)!);
  const both = apply(one, planFirewall(one, { ...config, clusterName: 'lab2' })!);
  const plan = planFirewallRemoval(both, 'lab')!;
  t.match(plan, new RegExp(`-D DOCKER-USER ${note} -j (NKUBE-FORWARD-\\w{8})\n-F \\1\n-X \\1\n`));
  t.match(plan, new RegExp(`-D POSTROUTING ${note} -j (NKUBE-MASQ-\\w{8})\n-F \\1\n-X \\1\n`));
  t.notMatch(plan, 'lab2');
  t.equal(planFirewallRemoval(withDocker, 'lab'), undefined);
});
