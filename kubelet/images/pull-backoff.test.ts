import t from 'tap';
import { goDuration } from './duration.ts';
import { PullBackoff } from './pull-backoff.ts';

t.test('the wait doubles from 10 seconds to 5 minutes', async (t) => {
  const backoff = new PullBackoff();
  let now = 0;
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    backoff.failed('a', 'no', now);
    const { retryAt } = backoff.waiting('a', now)!;
    waits.push((retryAt - now) / 1000);
    t.ok(backoff.waiting('a', retryAt - 1));
    t.equal(backoff.waiting('a', retryAt), undefined);
    now = retryAt;
  }
  t.same(waits, [10, 20, 40, 80, 160, 300, 300]);
});

t.test('success or a long time without failure start it anew; keys are apart', async (t) => {
  const backoff = new PullBackoff();
  backoff.failed('a', 'no', 0);
  backoff.failed('a', 'worse', 0);
  t.same(backoff.waiting('a', 0), { retryAt: 20_000, error: 'worse' });
  t.equal(backoff.waiting('b', 0), undefined);
  backoff.succeeded('a');
  backoff.failed('a', 'no', 0);
  t.equal(backoff.waiting('a', 0)?.retryAt, 10_000);
  backoff.failed('a', 'no', 600_001);
  t.equal(backoff.waiting('a', 600_001)?.retryAt, 610_001);
});

t.test('durations read as Go prints them', async (t) => {
  const cases: [number, string][] = [
    [0.4, '0s'],
    [532.9, '532ms'],
    [1000, '1s'],
    [1200, '1.2s'],
    [62_500, '1m2.5s'],
    [3_603_000, '1h0m3s'],
  ];
  for (const [ms, text] of cases) t.equal(goDuration(ms), text);
});
