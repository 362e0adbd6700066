import t from 'tap';
import { aDeployment, aReplicaSet } from '../testing/objects.ts';
import {
  currentAnnotations,
  revisionAnnotation,
  revisionHistoryAnnotation,
  revisionOf,
} from './annotations.ts';

const withAnnotations = (annotations: Record<string, string>) =>
  aReplicaSet('rs', 1, { metadata: { annotations } });

t.test(
  'a ReplicaSet gets the annotations of its Deployment, except what describes the Deployment itself',
  async (t) => {
    const deployment = aDeployment(
      {},
      {
        metadata: {
          annotations: {
            'kubernetes.io/change-cause': 'why',
            'kubectl.kubernetes.io/last-applied-configuration': '{}',
            [revisionAnnotation]: '9',
          },
        },
      },
    );
    t.same(currentAnnotations(deployment, undefined, 2), {
      'kubernetes.io/change-cause': 'why',
      [revisionAnnotation]: '2',
    });
  },
);

t.test('a ReplicaSet that comes back gets a new revision and remembers the old ones', async (t) => {
  const back = currentAnnotations(aDeployment(), withAnnotations({ [revisionAnnotation]: '1' }), 3);
  t.same(back, { [revisionAnnotation]: '3', [revisionHistoryAnnotation]: '1' });
  const again = currentAnnotations(aDeployment(), withAnnotations(back), 5);
  t.equal(again[revisionHistoryAnnotation], '1,3');
});

t.test('a revision never goes back', async (t) => {
  const annotations = { [revisionAnnotation]: '4' };
  t.same(currentAnnotations(aDeployment(), withAnnotations(annotations), 2), annotations);
});

t.test('the history stays below its limit by forgetting the oldest', async (t) => {
  const long = Array.from({ length: 500 }, (_, i) => 1000 + i).join(',');
  const annotations = { [revisionAnnotation]: '2000', [revisionHistoryAnnotation]: long };
  const text = currentAnnotations(aDeployment(), withAnnotations(annotations), 2001)[
    revisionHistoryAnnotation
  ]!;
  t.ok(text.length <= 2000);
  t.ok(text.endsWith(',2000'));
  t.notOk(text.startsWith('1000,'));
});

t.test('an object without a revision has revision 0', async (t) => {
  t.equal(revisionOf(withAnnotations({})), 0);
  t.equal(revisionOf(withAnnotations({ [revisionAnnotation]: 'x' })), 0);
});
