import t from 'tap';
import type { Probe } from '../../api/types/core-v1.ts';
import { afterProbe, firstProbeDelay, freshProbe } from './probe-state.ts';

/** Verdicts after each of a row of results (`+` success, `-` failure). */
function verdicts(results: string, probe: Probe): (boolean | undefined)[] {
  let state = freshProbe;
  return [...results].map((result) => {
    state = afterProbe(state, result === '+', probe);
    return state.verdict;
  });
}

t.test('thresholds count equal results in a row', async (t) => {
  const none = undefined;
  t.same(verdicts('+', {}), [true]);
  t.same(verdicts('---', {}), [none, none, false]);
  t.same(verdicts('--+--', {}), [none, none, true, true, true]);
  t.same(verdicts('+---', {}), [true, true, true, false]);
  t.same(verdicts('-', { failureThreshold: 1 }), [false]);
  t.same(verdicts('-+-++', { failureThreshold: 1, successThreshold: 2 }), [false, false, false, false, true]);
});

t.test('the first probe waits for the initial delay, counted from the start', async (t) => {
  t.equal(firstProbeDelay({ initialDelaySeconds: 5 }, 1000, 2000), 4000);
  t.equal(firstProbeDelay({ initialDelaySeconds: 5 }, 1000, 9000), 0);
  t.equal(firstProbeDelay({}, 1000, 1000), 0);
});
