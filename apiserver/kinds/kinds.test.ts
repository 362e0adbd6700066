import fc from 'fast-check';
import t from 'tap';
import type { KubeObject } from '../../api/object.ts';
import { definitions, schemaOf } from '../../api/schema/kubernetes.ts';
import { anyOf } from '../../api/schema/test-support.ts';
import { walkSchema } from '../../api/schema/walk.ts';
import { kinds } from './index.ts';

const context = {
  now: Date.parse('2024-01-02T03:04:05Z'),
  newUID: () => '11111111-2222-3333-4444-555555555555',
  user: { name: 'tester', groups: [] },
};

t.test('every kind of the first milestone is declared once', async (t) => {
  const names = kinds.map((kind) => `${kind.group || 'core'}/${kind.version}/${kind.kind}`);
  for (const name of [
    'core/v1/Namespace',
    'core/v1/Node',
    'core/v1/Pod',
    'core/v1/Service',
    'core/v1/Endpoints',
    'core/v1/ConfigMap',
    'core/v1/Secret',
    'core/v1/ServiceAccount',
    'core/v1/Event',
    'coordination.k8s.io/v1/Lease',
    'discovery.k8s.io/v1/EndpointSlice',
    'apps/v1/ReplicaSet',
    'apps/v1/Deployment',
    'batch/v1/Job',
  ])
    t.equal(names.filter((other) => other === name).length, 1, name);
  t.equal(new Set(names).size, names.length);
});

t.test('every kind names a schema that exists, and columns with a name first or last', async (t) => {
  for (const kind of kinds) {
    t.ok(definitions[kind.schema], kind.schema);
    t.ok(
      kind.columns.some((column) => column.name === 'Name' && column.format === 'name'),
      `${kind.kind} has a Name column`,
    );
  }
});

for (const kind of kinds)
  t.test(`no object that fits the schema of ${kind.kind} makes its declaration throw`, async (t) => {
    const schema = schemaOf(kind.schema);
    const any = anyOf(schema, 6) as fc.Arbitrary<KubeObject>;
    const read = (value: KubeObject): KubeObject =>
      walkSchema(schema, structuredClone(value)).value as KubeObject;
    const run = (first: KubeObject, second: KubeObject): void => {
      const created = read(first);
      kind.defaults?.(created);
      kind.prepareForCreate?.(created, context);
      kind.validate?.(created);
      kind.warnings?.(created);
      const next = read(second);
      kind.defaults?.(next);
      const status = structuredClone(next);
      kind.prepareForUpdate?.(next, created, context);
      kind.validate?.(next);
      kind.validateUpdate?.(next, created);
      kind.status?.prepareForUpdate?.(status, created, context);
      kind.status?.validateUpdate?.(status, created);
      for (const column of kind.columns) column.value(status, context.now);
      for (const field of Object.values(kind.selectableFields ?? {})) field(status);
      kind.gracePeriodSeconds?.(status, undefined);
      kind.scale?.selector(status);
    };
    fc.assert(fc.property(any, any, run), { numRuns: 60, seed: 7 });
    t.pass('none did');
  });

for (const kind of kinds)
  t.test(
    `defaulting a ${kind.kind} twice changes nothing more, and what it makes fits the schema`,
    async (t) => {
      const schema = schemaOf(kind.schema);
      fc.assert(
        fc.property(anyOf(schema, 6), (value) => {
          const object = walkSchema(schema, structuredClone(value)).value as KubeObject;
          kind.defaults?.(object);
          const once = JSON.stringify(object);
          kind.defaults?.(object);
          return JSON.stringify(object) === once && walkSchema(schema, object).unknown.length === 0;
        }),
        { numRuns: 40, seed: 11 },
      );
      t.pass('it does not');
    },
  );
