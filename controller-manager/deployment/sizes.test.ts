import t from 'tap';
import { aDeployment, aReplicaSet } from '../testing/objects.ts';
import { maxReplicasAnnotation } from './annotations.ts';
import { maxSurge, maxUnavailable, newReplicaSetSize, proportion } from './sizes.ts';

const rolling = (replicas: number, surge: number | string, unavailable: number | string) =>
  aDeployment({
    replicas,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable } },
  });

t.test('surge rounds up, unavailability down, and not both may be nothing', async (t) => {
  const cases: [number, number | string, number | string, number, number][] = [
    [3, '25%', '25%', 1, 0],
    [10, '25%', '25%', 3, 2],
    [10, 2, 0, 2, 0],
    [1, '0%', '25%', 0, 1],
    [4, 0, 9, 0, 4],
    [0, '25%', '25%', 0, 0],
  ];
  for (const [replicas, surge, unavailable, expectedSurge, expectedUnavailable] of cases) {
    const deployment = rolling(replicas, surge, unavailable);
    const title = `${replicas} replicas, surge ${surge}, unavailable ${unavailable}`;
    t.equal(maxSurge(deployment), expectedSurge, title);
    t.equal(maxUnavailable(deployment), expectedUnavailable, title);
  }
});

t.test('Recreate has neither', async (t) => {
  const deployment = aDeployment({ strategy: { type: 'Recreate' } });
  t.equal(maxSurge(deployment), 0);
  t.equal(maxUnavailable(deployment), 0);
});

t.test('the current ReplicaSet grows into the room that the surge leaves', async (t) => {
  const deployment = rolling(10, 2, 0);
  const old = aReplicaSet('old', 10);
  const current = aReplicaSet('new', 0);
  t.equal(newReplicaSetSize(deployment, [old, current], current), 2);
  const later = aReplicaSet('new', 9);
  const shrunk = aReplicaSet('old', 1);
  t.equal(newReplicaSetSize(deployment, [shrunk, later], later), 10, 'never beyond what is desired');
  const full = aReplicaSet('old', 12);
  t.equal(newReplicaSetSize(deployment, [full, current], current), 0);
});

t.test('a part of a scaling is in proportion to the size before', async (t) => {
  const annotated = (size: number) =>
    aReplicaSet('rs', size, { metadata: { annotations: { [maxReplicasAnnotation]: '13' } } });
  const deployment = rolling(15, 3, 2);
  t.equal(proportion(deployment, annotated(8), 5, 0), 3);
  t.equal(proportion(deployment, annotated(5), 5, 3), 2);
  t.equal(proportion(deployment, annotated(5), 5, 4), 1, 'not more than is left to add');
  t.equal(proportion(deployment, annotated(0), 5, 0), 0);
  t.equal(proportion(rolling(0, 3, 2), annotated(8), -8, 0), -8);
});
