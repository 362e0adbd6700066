import t from 'tap';
import type { KubeObject } from '../object.ts';
import { schemaOf } from '../schema/kubernetes.ts';
import type { ManagedFieldsEntry } from '../types/meta-v1.ts';
import { ApplyConflictError, applyConfiguration, recordUpdate } from './apply.ts';
import { FieldSet, formatPath } from './field-set.ts';

const schema = schemaOf('io.k8s.api.apps.v1.Deployment');
const base = { schema, apiVersion: 'apps/v1', now: '2024-01-01T00:00:00Z', ignored: ['status'] };

type Loose = KubeObject & { spec?: Record<string, unknown>; status?: unknown };

const deployment = (spec: Record<string, unknown>, metadata: KubeObject['metadata'] = {}): Loose => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default', ...metadata },
  spec,
});

const apply = (
  live: Loose | undefined,
  spec: Record<string, unknown>,
  { manager = 'me', force = false, metadata = {} as KubeObject['metadata'] } = {},
): Loose =>
  applyConfiguration({ ...base, live, applied: deployment(spec, metadata), manager, force }) as Loose;

const entryOf = (object: KubeObject, manager: string): ManagedFieldsEntry | undefined =>
  object.metadata?.managedFields?.find((entry) => entry.manager === manager);

const template = (containers: object[]): Record<string, unknown> => ({ template: { spec: { containers } } });
const containersOf = (object: Loose): unknown =>
  (object.spec!.template as { spec: { containers: unknown } }).spec.containers;

t.test('applying what does not exist makes it, managed by the applier', async (t) => {
  const object = apply(
    undefined,
    { replicas: 2, ...template([{ name: 'c', image: 'a' }]) },
    {
      metadata: { labels: { app: 'web' } },
    },
  );
  t.equal(object.spec?.replicas, 2);
  t.same(object.metadata?.managedFields, [
    {
      manager: 'me',
      operation: 'Apply',
      apiVersion: 'apps/v1',
      time: '2024-01-01T00:00:00Z',
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:metadata': { 'f:labels': { 'f:app': {} } },
        'f:spec': {
          'f:replicas': {},
          'f:template': {
            'f:spec': { 'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:image': {}, 'f:name': {} } } },
          },
        },
      },
    },
  ]);
});

t.test('applying the same again changes nothing', async (t) => {
  const object = apply(undefined, { replicas: 2 });
  t.equal(apply(object, { replicas: 2 }), object);
});

t.test('a field that the applier leaves out goes, and what others manage stays', async (t) => {
  const first = apply(undefined, { replicas: 2, minReadySeconds: 5, strategy: { type: 'Recreate' } });
  const shared = apply(first, { minReadySeconds: 5 }, { manager: 'other' });
  const second = apply(shared, { replicas: 2 });
  t.same(second.spec, { replicas: 2, minReadySeconds: 5 }, 'the strategy went with its last field');
  t.same(entryOf(second, 'me')?.fieldsV1, { 'f:spec': { 'f:replicas': {} } });
});

t.test('items of keyed lists are merged by key and removed one by one', async (t) => {
  const first = apply(
    undefined,
    template([
      { name: 'a', image: 'a:1' },
      { name: 'b', image: 'b:1' },
    ]),
  );
  const withSidecar = apply(first, template([{ name: 's', image: 's:1' }]), { manager: 'injector' });
  const second = apply(withSidecar, template([{ name: 'a', image: 'a:2' }]));
  t.same(containersOf(second), [
    { name: 'a', image: 'a:2' },
    { name: 's', image: 's:1' },
  ]);
});

t.test('defaults in an item go with the item that its applier removes', async (t) => {
  const first = apply(
    undefined,
    template([
      { name: 'a', image: 'a:1' },
      { name: 'b', image: 'b:1' },
    ]),
  );
  const defaulted = structuredClone(first);
  for (const container of containersOf(defaulted) as Record<string, unknown>[])
    container.imagePullPolicy = 'Always';
  t.same(containersOf(apply(defaulted, template([{ name: 'a', image: 'a:1' }]))), [
    { name: 'a', image: 'a:1', imagePullPolicy: 'Always' },
  ]);
});

t.test('ports are told apart by number and protocol, which is TCP if absent', async (t) => {
  const ports = (list: object[]) => template([{ name: 'a', ports: list }]);
  const first = apply(undefined, ports([{ containerPort: 80, protocol: 'TCP', name: 'x' }]));
  const second = apply(
    first,
    ports([
      { containerPort: 80, name: 'y' },
      { containerPort: 80, protocol: 'UDP' },
    ]),
  );
  t.match(containersOf(second), [
    {
      ports: [
        { containerPort: 80, name: 'y' },
        { containerPort: 80, protocol: 'UDP' },
      ],
    },
  ]);
});

function conflictOf(run: () => unknown): ApplyConflictError {
  try {
    run();
  } catch (error) {
    if (error instanceof ApplyConflictError) return error;
    throw error;
  }
  throw new Error('no conflict');
}

t.test('a value that another manager set is a conflict, named in Kubernetes’ words', async (t) => {
  const live = apply(undefined, { replicas: 2, minReadySeconds: 1 }, { manager: 'other' });
  const one = conflictOf(() => apply(live, { replicas: 3 }));
  t.equal(one.message, 'Apply failed with 1 conflict: conflict with "other": .spec.replicas');
  t.same(one.conflicts, [{ manager: 'other', field: '.spec.replicas', message: 'conflict with "other"' }]);
  const two = conflictOf(() => apply(live, { replicas: 3, minReadySeconds: 2 }));
  t.equal(
    two.message,
    'Apply failed with 2 conflicts: conflicts with "other":\n- .spec.minReadySeconds\n- .spec.replicas',
  );
});

t.test('agreeing on a value is no conflict: both manage it', async (t) => {
  const live = apply(undefined, { replicas: 2 }, { manager: 'other' });
  const object = apply(live, { replicas: 2 });
  for (const manager of ['me', 'other'])
    t.same(entryOf(object, manager)?.fieldsV1, { 'f:spec': { 'f:replicas': {} } }, manager);
});

t.test('force takes fields over', async (t) => {
  const live = apply(undefined, { replicas: 2, minReadySeconds: 1 }, { manager: 'other' });
  const object = apply(live, { replicas: 3 }, { force: true });
  t.equal(object.spec?.replicas, 3);
  t.same(entryOf(object, 'other')?.fieldsV1, { 'f:spec': { 'f:minReadySeconds': {} } });
});

t.test('what stood there before the first apply is managed by before-first-apply', async (t) => {
  const live = deployment({ replicas: 1, paused: true });
  const { message } = conflictOf(() => apply(live, { replicas: 2 }));
  t.equal(
    message,
    'Apply failed with 1 conflict: conflict with "before-first-apply" using apps/v1: .spec.replicas',
  );
  const object = apply(live, { replicas: 1 });
  t.same(entryOf(object, 'before-first-apply')?.fieldsV1, { 'f:spec': { 'f:paused': {}, 'f:replicas': {} } });
});

t.test('an update of an applied object makes the writer manage what it changed', async (t) => {
  const before = apply(undefined, { replicas: 2, minReadySeconds: 1 });
  const after = { ...before, spec: { ...before.spec, replicas: 5, paused: true } };
  const managedFields = recordUpdate({
    ...base,
    before,
    after,
    manager: 'kubectl-scale',
    now: '2024-02-02T00:00:00Z',
  });
  t.match(managedFields, [
    { manager: 'me', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:minReadySeconds': {} } } },
    {
      manager: 'kubectl-scale',
      operation: 'Update',
      time: '2024-02-02T00:00:00Z',
      fieldsV1: { 'f:spec': { 'f:paused': {}, 'f:replicas': {} } },
    },
  ]);
  const live = { ...after, metadata: { ...after.metadata, managedFields } };
  t.equal(
    conflictOf(() => apply(live, { replicas: 2, minReadySeconds: 1 })).message,
    'Apply failed with 1 conflict: conflict with "kubectl-scale" using apps/v1: .spec.replicas',
  );
});

t.test(
  'nobody’s fields are recorded for an object that was never applied, nor for an update that changes nothing',
  async (t) => {
    const plain = deployment({ replicas: 1 });
    t.equal(
      recordUpdate({ ...base, before: plain, after: deployment({ replicas: 2 }), manager: 'x' }),
      undefined,
    );
    const applied = apply(undefined, { replicas: 1 });
    t.equal(
      recordUpdate({ ...base, before: applied, after: applied, manager: 'x' }),
      applied.metadata?.managedFields,
    );
  },
);

t.test('the status and the server’s own metadata are nobody’s', async (t) => {
  const live = { ...apply(undefined, { replicas: 1 }), status: { replicas: 1 } };
  const applied = {
    ...deployment({ replicas: 1 }, { uid: 'u', labels: { a: 'b' } }),
    status: { replicas: 9 },
  };
  const object = applyConfiguration({ ...base, live, applied, manager: 'me', force: false }) as Loose;
  t.same(object.status, { replicas: 1 });
  t.same(entryOf(object, 'me')?.fieldsV1, {
    'f:metadata': { 'f:labels': { 'f:a': {} } },
    'f:spec': { 'f:replicas': {} },
  });
});

t.test('items without their key, or twice with the same, are refused', async (t) => {
  t.throws(() => apply(undefined, template([{ image: 'x' }])), {
    name: 'ApplyTypeError',
    message:
      '.spec.template.spec.containers: element 0: associative list with keys has an element that omits key field "name" (and doesn\'t have default value)',
  });
  t.throws(() => apply(undefined, template([{ name: 'a' }, { name: 'a' }])), {
    name: 'ApplyTypeError',
    message: '.spec.template.spec.containers: duplicate entries for key [name="a"]',
  });
});

t.test('sets of fields survive the way through managedFields', async (t) => {
  const fields = {
    'f:metadata': { 'f:finalizers': { '.': {}, 'v:"a/b"': {} } },
    'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {} } } },
  };
  const set = FieldSet.fromFieldsV1(fields);
  t.same(set.toFieldsV1(), fields);
  t.same([...set.paths()].map(formatPath), [
    '.metadata.finalizers',
    '.metadata.finalizers[="a/b"]',
    '.spec.ports[port=80,protocol="TCP"]',
    '.spec.ports[port=80,protocol="TCP"].port',
  ]);
  t.ok(set.difference(set).isEmpty);
  t.ok(set.intersection(set).equals(set));
  t.ok(FieldSet.empty.union(set).equals(set));
});
