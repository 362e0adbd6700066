import t from 'tap';
import { Balancer, type BalancerPlan } from './balancer.ts';
import type { Endpoint } from './plan.ts';

const endpoint = (ip: string): Endpoint => ({ key: `${ip}:80`, ip, port: 80 });
const [a, b, c] = ['a', 'b', 'c'].map(endpoint) as [Endpoint, Endpoint, Endpoint];

function balancer(plan: Partial<BalancerPlan>) {
  const clock = { now: 0 };
  const made = new Balancer({
    plan: { all: [], node: [], ...plan },
    now: () => clock.now,
    firstTurn: 0,
    isInside: (client) => client.startsWith('10.'),
  });
  return { balancer: made, clock };
}

t.test('takes turns over all endpoints', async (t) => {
  const { balancer: chooser } = balancer({ all: [a, b, c] });
  t.same(
    [1, 2, 3, 4].map(() => chooser.choose('x', 'all')?.ip),
    ['a', 'b', 'c', 'a'],
  );
});

t.test('answers nothing when there is no endpoint left to try', async (t) => {
  t.equal(balancer({}).balancer.choose('x', 'all'), undefined);
  const { balancer: chooser } = balancer({ all: [a, b] });
  t.equal(chooser.choose('x', 'all', new Set(['a:80']))?.ip, 'b');
  t.equal(chooser.choose('x', 'all', new Set(['a:80', 'b:80'])), undefined);
});

t.test('tries an endpoint that failed last, for two seconds', async (t) => {
  const { balancer: chooser, clock } = balancer({ all: [a, b] });
  chooser.failed('x', a);
  t.same(
    [1, 2, 3].map(() => chooser.choose('x', 'all')?.ip),
    ['b', 'b', 'b'],
  );
  t.equal(chooser.choose('x', 'all', new Set(['b:80']))?.ip, 'a', 'still better than nothing');
  clock.now = 2_001;
  t.same(new Set([1, 2].map(() => chooser.choose('x', 'all')?.ip)), new Set(['a', 'b']));
});

t.test('clients outside are kept to the node where the Service says so', async (t) => {
  const { balancer: chooser } = balancer({ all: [a, b], node: [b] });
  t.same(
    [1, 2].map(() => chooser.choose('192.0.2.1', 'client')?.ip),
    ['b', 'b'],
  );
  t.same(new Set([1, 2].map(() => chooser.choose('10.0.0.1', 'client')?.ip)), new Set(['a', 'b']));
  t.equal(chooser.choose('10.0.0.1', 'node')?.ip, 'b');
});

t.test('session affinity', async (t) => {
  const { balancer: chooser, clock } = balancer({ all: [a, b, c], affinitySeconds: 10 });
  const first = chooser.choose('x', 'all')!;
  chooser.succeeded('x', first);
  t.same(
    [1, 2, 3].map(() => chooser.choose('x', 'all')?.ip),
    [first.ip, first.ip, first.ip],
    'stays',
  );
  t.not(chooser.choose('y', 'all')?.ip, first.ip, 'other clients have their own');
  clock.now = 9_000;
  chooser.succeeded('x', first);
  clock.now = 18_000;
  t.equal(chooser.choose('x', 'all')?.ip, first.ip, 'use renews it');
  clock.now = 30_000;
  t.not(chooser.choose('x', 'all')?.ip, first.ip, 'ends after its time');
  chooser.succeeded('x', a);
  chooser.update({ all: [b, c], node: [], affinitySeconds: 10 });
  t.not(chooser.choose('x', 'all')?.ip, 'a', 'ends with its endpoint');
  chooser.succeeded('x', b);
  chooser.failed('x', b);
  t.equal(chooser.choose('x', 'all')?.ip, 'c', 'ends when the endpoint fails');
});

t.test('a change of endpoints wakes those who wait', async (t) => {
  const { balancer: chooser } = balancer({ all: [a] });
  const changed = chooser.changed(60_000).then(() => chooser.choose('x', 'all', new Set(['a:80']))?.ip);
  chooser.update({ all: [a, b], node: [] });
  t.equal(await changed, 'b');
  t.ok(chooser.has(b));
  t.notOk(chooser.has(c));
});
