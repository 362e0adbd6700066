import t from 'tap';
import type { KubeObject } from '../../api/object.ts';
import type { OwnerReference } from '../../api/types/meta-v1.ts';
import type { DiscoveredResource } from '../common/discovery.ts';
import { OwnershipGraph } from './graph.ts';

const resource = (kind: string, namespaced = true): DiscoveredResource => ({
  group: '',
  version: 'v1',
  kind,
  plural: `${kind.toLowerCase()}s`,
  namespaced,
  verbs: [],
});
const things = resource('Thing');

const object = (
  name: string,
  owners: OwnerReference[] = [],
  more: KubeObject['metadata'] = {},
): KubeObject => ({
  metadata: { name, namespace: 'ns', uid: name, ...(owners.length && { ownerReferences: owners }), ...more },
});
const ownedBy = (name: string, more: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: 'v1',
  kind: 'Thing',
  name,
  uid: name,
  ...more,
});
const dying = (finalizer: string) => ({ deletionTimestamp: '2030-01-01T00:00:00Z', finalizers: [finalizer] });

t.test('dependents are examined when their owner goes', async (t) => {
  const graph = new OwnershipGraph();
  graph.observe(object('owner'), things);
  t.same(graph.observe(object('child', [ownedBy('owner')]), things).examine, []);
  t.same(graph.remove('owner').examine, ['child']);
  graph.remove('child');
  t.equal(graph.size, 0, 'nothing is left behind');
});

t.test('an owner that was only heard of is looked for, until it is seen', async (t) => {
  const graph = new OwnershipGraph();
  t.same(graph.observe(object('child', [ownedBy('owner')]), things).examine, ['owner']);
  t.ok(graph.get('owner')?.virtual);
  t.same(graph.observe(object('owner'), things).examine, []);
  t.notOk(graph.get('owner')?.virtual);
  t.equal(graph.get('owner')?.dependents.size, 1);
});

t.test('an owner that was only heard of goes with its last dependent', async (t) => {
  const graph = new OwnershipGraph();
  graph.observe(object('child', [ownedBy('owner')]), things);
  graph.observe(object('child'), things);
  t.equal(graph.get('owner'), undefined);
  graph.observe(object('child', [ownedBy('owner')]), things);
  graph.remove('child');
  t.equal(graph.size, 0);
});

t.test('foreground deletion examines the dependents first and the owner after each of them', async (t) => {
  const graph = new OwnershipGraph();
  graph.observe(object('owner'), things);
  graph.observe(object('child', [ownedBy('owner', { blockOwnerDeletion: true })]), things);
  const begun = graph.observe(object('owner', [], dying('foregroundDeletion')), things);
  t.same(begun.examine, ['child', 'owner']);
  t.same(graph.observe(object('owner', [], dying('foregroundDeletion')), things).examine, [], 'told once');
  t.same(graph.remove('child').examine, ['owner']);
});

t.test('a dependent that stops blocking frees its owner', async (t) => {
  const graph = new OwnershipGraph();
  graph.observe(object('owner', [], dying('foregroundDeletion')), things);
  graph.observe(object('child', [ownedBy('owner', { blockOwnerDeletion: true })]), things);
  t.same(graph.observe(object('child', [ownedBy('owner')]), things).examine, ['owner']);
});

t.test('orphaning is asked for once', async (t) => {
  const graph = new OwnershipGraph();
  graph.observe(object('owner'), things);
  t.same(graph.observe(object('owner', [], dying('orphan')), things).orphan, ['owner']);
  t.same(graph.observe(object('owner', [], dying('orphan')), things).orphan, []);
  const later = new OwnershipGraph();
  t.same(
    later.observe(object('owner', [], dying('orphan')), things).orphan,
    ['owner'],
    'also after a restart',
  );
});

t.test('a reference to an object of another namespace or kind is not taken for the object', async (t) => {
  const graph = new OwnershipGraph();
  graph.observe(object('owner', [], { namespace: 'elsewhere' }), things);
  const effects = graph.observe(object('child', [ownedBy('owner')]), things);
  t.same(effects.examine, ['child']);
  t.match(effects.misplaced, [{ dependent: { name: 'child' }, reference: { name: 'owner' } }]);
  const reversed = new OwnershipGraph();
  reversed.observe(object('child', [ownedBy('owner', { kind: 'Other' })]), things);
  t.same(reversed.observe(object('owner'), things).examine, ['child'], 'in whichever order they are seen');
});

t.test('a cluster-scoped owner serves every namespace', async (t) => {
  const graph = new OwnershipGraph();
  graph.observe({ metadata: { name: 'owner', uid: 'owner' } }, resource('Thing', false));
  t.same(graph.observe(object('child', [ownedBy('owner')]), things), {
    examine: [],
    orphan: [],
    misplaced: [],
  });
});
