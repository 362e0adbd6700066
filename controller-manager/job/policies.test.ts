import t from 'tap';
import type { PodFailurePolicyRule } from '../../api/types/batch-v1.ts';
import { aPod } from '../testing/objects.ts';
import { matchFailurePolicy, matchSuccessPolicy } from './policies.ts';

const exited = (code: number) =>
  aPod('p', {
    phase: 'Failed',
    status: {
      conditions: [],
      containerStatuses: [
        {
          name: 'c',
          image: 'i',
          imageID: '',
          ready: false,
          restartCount: 0,
          state: { terminated: { exitCode: code } },
        },
      ],
    },
  });
const onExit = (action: string, operator: string, values: number[], containerName?: string) =>
  ({ action, onExitCodes: { operator, values, containerName } }) as PodFailurePolicyRule;

t.test('the first rule that matches counts', async (t) => {
  const rules = [
    onExit('Ignore', 'In', [3]),
    onExit('FailJob', 'In', [3, 42]),
    onExit('Count', 'NotIn', [7]),
  ];
  t.match(matchFailurePolicy({ rules }, exited(3)), { action: 'Ignore' });
  t.same(matchFailurePolicy({ rules }, exited(42)), {
    action: 'FailJob',
    message: 'Container c for pod ns/p failed with exit code 42 matching FailJob rule at index 1',
  });
  t.match(matchFailurePolicy({ rules }, exited(1)), { action: 'Count' });
  t.equal(matchFailurePolicy({ rules }, exited(7)), undefined);
  t.equal(matchFailurePolicy({ rules }, exited(0)), undefined, 'a container that succeeded matches nothing');
  t.equal(matchFailurePolicy(undefined, exited(3)), undefined);
});

t.test('a rule may be about one container', async (t) => {
  t.equal(matchFailurePolicy({ rules: [onExit('FailJob', 'In', [3], 'other')] }, exited(3)), undefined);
  t.match(matchFailurePolicy({ rules: [onExit('FailJob', 'In', [3], 'c')] }, exited(3)), {
    action: 'FailJob',
  });
});

t.test('a rule may be about a condition', async (t) => {
  const rules = [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }];
  const pod = (status: string) =>
    aPod('p', { status: { conditions: [{ type: 'DisruptionTarget', status }] } });
  t.same(matchFailurePolicy({ rules }, pod('True')), {
    action: 'Ignore',
    message: 'Pod ns/p has condition DisruptionTarget matching Ignore rule at index 0',
  });
  t.equal(matchFailurePolicy({ rules }, pod('False')), undefined);
});

t.test('a success policy is met by indexes, by a number, or by a number of indexes', async (t) => {
  const met = (rule: { succeededIndexes?: string; succeededCount?: number }, succeeded: number[]) =>
    matchSuccessPolicy({ rules: [rule] }, 10, new Set(succeeded));
  t.equal(met({ succeededIndexes: '0,2-3' }, [0, 2, 3, 5]), 'Matched rules at index 0');
  t.equal(met({ succeededIndexes: '0,2-3' }, [0, 2]), undefined);
  t.equal(met({ succeededCount: 2 }, [4, 5]), 'Matched rules at index 0');
  t.equal(met({ succeededIndexes: '0-3', succeededCount: 2 }, [3, 7]), undefined);
  t.equal(met({ succeededIndexes: '0-3', succeededCount: 2 }, [3, 1]), 'Matched rules at index 0');
});
