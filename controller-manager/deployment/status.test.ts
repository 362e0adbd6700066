import t from 'tap';
import type { Deployment, DeploymentCondition } from '../../api/types/apps-v1.ts';
import { aDeployment, aReplicaSet, at } from '../testing/objects.ts';
import { calculateStatus, isComplete, reasons, rolloutStatus, timeToDeadline } from './status.ts';

const progressing = (reason: string, seconds: number, status = 'True'): DeploymentCondition => ({
  type: 'Progressing',
  status,
  reason,
  message: 'm',
  lastUpdateTime: at(seconds),
  lastTransitionTime: at(seconds),
});
const find = (conditions: DeploymentCondition[] | undefined, type: string) =>
  conditions?.find((condition) => condition.type === type);

const running = (ready: number) => ({ replicas: 3, readyReplicas: ready, availableReplicas: ready });

t.test('counts come from what the ReplicaSets report', async (t) => {
  const current = aReplicaSet('new', 2, { status: { replicas: 2, readyReplicas: 1, availableReplicas: 1 } });
  const old = aReplicaSet('old', 2, { status: { replicas: 2, readyReplicas: 2, availableReplicas: 2 } });
  const status = calculateStatus(aDeployment(), current, [old], { conditions: [], now: 0 });
  t.match(status, {
    observedGeneration: 1,
    replicas: 4,
    updatedReplicas: 2,
    readyReplicas: 3,
    availableReplicas: 3,
    unavailableReplicas: 1,
  });
});

t.test('available means as many as the rollout must keep up', async (t) => {
  const deployment = aDeployment({
    replicas: 4,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
  });
  const status = (available: number) =>
    calculateStatus(deployment, aReplicaSet('rs', 4, { status: { availableReplicas: available } }), [], {
      conditions: [],
      now: 0,
    }).conditions?.[0];
  t.match(status(3), { status: 'True', reason: 'MinimumReplicasAvailable' });
  t.match(status(2), {
    status: 'False',
    reason: 'MinimumReplicasUnavailable',
    message: 'Deployment does not have minimum availability.',
  });
});

t.test('the Progressing condition follows the rollout', async (t) => {
  const name = 'ReplicaSet "new"';
  const at0 = progressing(reasons.created, 0);
  const cases: {
    title: string;
    ready: number;
    before?: Deployment['status'];
    condition: DeploymentCondition;
    now: number;
    expected: Partial<DeploymentCondition>;
  }[] = [
    {
      title: 'complete',
      ready: 3,
      condition: at0,
      now: 5000,
      expected: {
        status: 'True',
        reason: reasons.complete,
        message: `${name} has successfully progressed.`,
        lastUpdateTime: at(5),
        lastTransitionTime: at(0),
      },
    },
    {
      title: 'a pod became ready: the deadline counts anew',
      ready: 2,
      before: { ...running(1), updatedReplicas: 3 },
      condition: progressing(reasons.progressing, 0),
      now: 5000,
      expected: { reason: reasons.progressing, lastUpdateTime: at(5), lastTransitionTime: at(0) },
    },
    {
      title: 'nothing happened yet',
      ready: 1,
      before: { ...running(1), updatedReplicas: 3 },
      condition: at0,
      now: 5000,
      expected: { reason: reasons.created, lastUpdateTime: at(0) },
    },
    {
      title: 'nothing happened for too long',
      ready: 1,
      before: { ...running(1), updatedReplicas: 3 },
      condition: at0,
      now: 601_000,
      expected: {
        status: 'False',
        reason: reasons.timedOut,
        message: `${name} has timed out progressing.`,
        lastTransitionTime: at(601),
      },
    },
    {
      title: 'a finished rollout does not time out when pods fail later',
      ready: 1,
      before: { ...running(1), updatedReplicas: 3 },
      condition: progressing(reasons.complete, 0),
      now: 900_000,
      expected: { status: 'True', reason: reasons.complete },
    },
  ];
  for (const { title, ready, before, condition, now, expected } of cases) {
    const deployment = aDeployment({}, { status: { ...before, conditions: [condition] } });
    const current = aReplicaSet('new', 3, { status: running(ready) });
    const status = rolloutStatus(deployment, current, [], { conditions: [condition], now });
    t.match(find(status.conditions, 'Progressing'), expected, title);
  }
});

t.test('without a deadline there is no Progressing condition', async (t) => {
  const deployment = aDeployment({ progressDeadlineSeconds: 2147483647 });
  const conditions = [progressing(reasons.created, 0)];
  const status = rolloutStatus(deployment, aReplicaSet('new', 3), [], { conditions, now: 0 });
  t.equal(find(status.conditions, 'Progressing'), undefined);
  t.equal(timeToDeadline(deployment, status, 0), undefined);
});

t.test("a ReplicaSet's failure is shown while it lasts", async (t) => {
  const failing = aReplicaSet('new', 3, {
    status: {
      conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'quota' }],
    },
  });
  const options = { conditions: [], now: 0 };
  const status = rolloutStatus(aDeployment(), failing, [], options);
  t.match(find(status.conditions, 'ReplicaFailure'), {
    status: 'True',
    reason: 'FailedCreate',
    message: 'quota',
  });
  const after = rolloutStatus(aDeployment(), aReplicaSet('new', 3), [], {
    conditions: status.conditions!,
    now: 0,
  });
  t.equal(find(after.conditions, 'ReplicaFailure'), undefined);
});

t.test('a rollout is complete only once the present generation is seen', async (t) => {
  const status = { replicas: 3, updatedReplicas: 3, availableReplicas: 3, observedGeneration: 1 };
  t.ok(isComplete(aDeployment(), status));
  t.notOk(isComplete(aDeployment({}, { metadata: { generation: 2 } }), status));
  t.notOk(isComplete(aDeployment(), { ...status, replicas: 4 }));
});
