import t from 'tap';
import { tolerates } from '../../api/taints.ts';
import type { Toleration } from '../../api/types/core-v1.ts';
import { aPod, at } from '../testing/objects.ts';
import { evictionTime } from './plan.ts';

const unreachable = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: at(100) };
const other = { key: 'maintenance', value: 'soon', effect: 'NoExecute', timeAdded: at(150) };
const pod = (tolerations: Toleration[], created = 0) => aPod('p', { created, spec: { tolerations } });
const forSeconds = (key: string, tolerationSeconds?: number): Toleration => ({
  key,
  operator: 'Exists',
  effect: 'NoExecute',
  ...(tolerationSeconds !== undefined && { tolerationSeconds }),
});

t.test('when a pod has to leave', async (t) => {
  const key = unreachable.key;
  const now = 200_000;
  t.equal(evictionTime(pod([]), [unreachable], now), now, 'at once');
  t.equal(evictionTime(pod([forSeconds(key, 300)]), [unreachable], now), 400_000, 'counted from the taint');
  t.equal(
    evictionTime(pod([forSeconds(key, 300)], 180), [unreachable], now),
    480_000,
    'or from its own arrival',
  );
  t.equal(evictionTime(pod([forSeconds(key)]), [unreachable], now), undefined, 'never');
  t.equal(
    evictionTime(pod([forSeconds(key, 300)]), [unreachable, other], now),
    now,
    'one taint is not tolerated',
  );
  const both = [forSeconds(key, 300), forSeconds('maintenance', 60)];
  t.equal(
    evictionTime(pod(both), [unreachable, other], now),
    160_000,
    'the shortest counts, from the first taint',
  );
  t.equal(evictionTime(pod([forSeconds(key, -5)]), [unreachable], now), 100_000, 'a negative time is none');
});

t.test('what a toleration matches', async (t) => {
  t.ok(tolerates({ operator: 'Exists' }, other));
  t.ok(tolerates({ key: 'maintenance', value: 'soon' }, other));
  t.notOk(tolerates({ key: 'maintenance', value: 'later' }, other));
  t.notOk(tolerates({ key: 'maintenance', operator: 'Exists', effect: 'NoSchedule' }, other));
  t.notOk(tolerates({ key: 'x', operator: 'Exists' }, other));
});
