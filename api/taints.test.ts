import t from 'tap';
import { tolerates, untoleratedTaint } from './taints.ts';
import type { Taint, Toleration } from './types/core-v1.ts';

const taint: Taint = { key: 'dedicated', value: 'gpu', effect: 'NoSchedule' };

t.test('which tolerations cover a taint', async (t) => {
  const cases: [Toleration, boolean][] = [
    [{ key: 'dedicated', operator: 'Equal', value: 'gpu', effect: 'NoSchedule' }, true],
    [{ key: 'dedicated', value: 'gpu' }, true],
    [{ key: 'dedicated', operator: 'Exists' }, true],
    [{ operator: 'Exists' }, true],
    [{ operator: 'Exists', effect: 'NoExecute' }, false],
    [{ key: 'dedicated', value: 'cpu' }, false],
    [{ key: 'other', operator: 'Exists' }, false],
    [{ operator: 'Equal', value: 'gpu' }, false],
    [{ key: 'dedicated', operator: 'Nonsense', value: 'gpu' }, false],
  ];
  for (const [toleration, expected] of cases)
    t.equal(tolerates(toleration, taint), expected, JSON.stringify(toleration));
  t.ok(tolerates({ key: 'a', value: '' }, { key: 'a', effect: 'NoSchedule' }), 'no value is the empty value');
});

t.test('the first taint that keeps a pod off', async (t) => {
  const soft: Taint = { key: 'soft', effect: 'PreferNoSchedule' };
  const taints = [soft, taint];
  t.equal(untoleratedTaint(taints, [], ['NoSchedule', 'NoExecute']), taint);
  t.equal(untoleratedTaint(taints, [{ key: 'dedicated', operator: 'Exists' }], ['NoSchedule']), undefined);
  t.equal(untoleratedTaint(taints, undefined, ['PreferNoSchedule']), soft);
  t.equal(untoleratedTaint(undefined, undefined, ['NoSchedule']), undefined);
});
