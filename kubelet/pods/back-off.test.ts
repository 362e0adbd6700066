import t from 'tap';
import { type BackOff, backOffOfAttempt, backOffText, nextBackOff, waitingUntil } from './back-off.ts';

t.test('the wait doubles from 10 s to 5 minutes', async (t) => {
  let backOff: BackOff | undefined;
  const waits: number[] = [];
  let now = 0;
  for (let i = 0; i < 8; i++) {
    backOff = nextBackOff(backOff, now, now);
    waits.push(backOff.duration / 1000);
    now += backOff.duration;
  }
  t.same(waits, [10, 20, 40, 80, 160, 300, 300, 300]);
});

t.test('a container that ran for more than ten minutes begins anew', async (t) => {
  const old = { duration: 160_000, since: 0 };
  t.equal(nextBackOff(old, 600_001, 600_001).duration, 10_000);
  t.equal(waitingUntil(old, 600_001, 600_002), undefined);
  t.equal(nextBackOff(old, 600_000, 600_000).duration, 300_000);
});

t.test('a container waits from its exit on', async (t) => {
  const backOff = { duration: 10_000, since: 0 };
  t.equal(waitingUntil(backOff, 5000, 6000), 15_000);
  t.equal(waitingUntil(backOff, 5000, 15_000), undefined);
  t.equal(waitingUntil(undefined, 5000, 6000), undefined);
});

t.test('the wait is recalled from the attempt after a restart of the kubelet', async (t) => {
  t.equal(backOffOfAttempt(0, 1000, 50_000), undefined);
  t.same(backOffOfAttempt(1, 1000, 50_000), { duration: 10_000, since: 49_000 });
  t.same(backOffOfAttempt(3, 1000, 50_000), { duration: 40_000, since: 49_000 });
  t.equal(backOffOfAttempt(9, 1000, 50_000)?.duration, 300_000);
  t.equal(backOffOfAttempt(9, 700_000, 800_000), undefined);
});

t.test('waits are written as Go writes them', async (t) => {
  t.same([10_000, 40_000, 80_000, 300_000].map(backOffText), ['10s', '40s', '1m20s', '5m0s']);
});
