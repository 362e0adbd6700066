import t from 'tap';
import { replicaSets } from '../../api/resources.ts';
import { parseLabelSelector } from '../../api/selectors.ts';
import { aPod, aReplicaSet, at } from '../testing/objects.ts';
import { controllerOf, controllerReference, planClaim } from './owner-references.ts';

const owner = aReplicaSet('mine', 1);
const other = aReplicaSet('other', 1);
const selector = parseLabelSelector('app=web');
const labels = { app: 'web' };
const mine = { object: owner, resource: replicaSets };
const names = (pods: { metadata?: { name?: string } }[]) => pods.map((pod) => pod.metadata?.name);

t.test('keeps, adopts and releases by controller and labels', async (t) => {
  const plan = planClaim(owner, selector, [
    aPod('kept', { labels, owner: mine }),
    aPod('left', { labels: { app: 'x' }, owner: mine }),
    aPod('orphan', { labels }),
    aPod('stranger', { labels: { app: 'x' } }),
    aPod('foreign', { labels, owner: { object: other, resource: replicaSets } }),
    aPod('dying-orphan', { labels, deleted: true }),
  ]);
  t.same(names(plan.owned), ['kept']);
  t.same(names(plan.adopt), ['orphan']);
  t.same(names(plan.release), ['left']);
});

t.test('an owner on its way out changes nobody', async (t) => {
  const leaving = { ...owner, metadata: { ...owner.metadata, deletionTimestamp: at(1) } };
  const plan = planClaim(leaving, selector, [
    aPod('kept', { labels, owner: mine }),
    aPod('left', { labels: { app: 'x' }, owner: mine }),
    aPod('orphan', { labels }),
  ]);
  t.same([names(plan.owned), plan.adopt, plan.release], [['kept'], [], []]);
});

t.test('the reference of a controller blocks its deletion and is found again', async (t) => {
  const reference = controllerReference(owner, replicaSets);
  t.match(reference, {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    controller: true,
    blockOwnerDeletion: true,
  });
  const pod = aPod('p', { owner: mine });
  pod.metadata!.ownerReferences!.unshift({ apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: 'u' });
  t.same(controllerOf(pod), reference);
});
