import fc from 'fast-check';
import t from 'tap';
import type { KubeObject } from '../object.ts';
import { schemaOf } from '../schema/kubernetes.ts';
import { anyOf } from '../schema/test-support.ts';
import { walkSchema } from '../schema/walk.ts';
import { applyConfiguration, recordUpdate } from './apply.ts';
import { FieldSet } from './field-set.ts';
import { ApplyTypeError, fieldsOf, typeOf } from './typed.ts';

const schema = schemaOf('io.k8s.api.core.v1.Service');
const type = typeOf(schema);
const base = { schema, apiVersion: 'v1', now: '2024-01-01T00:00:00Z', ignored: ['status'] };

/** A configuration, or undefined if lists in it have items without or with the same keys. */
function configuration(value: unknown): KubeObject | undefined {
  const object = walkSchema(schema, structuredClone(value), { fillRequired: false }).value as KubeObject;
  delete object.metadata?.managedFields;
  try {
    fieldsOf(type, object);
    return object;
  } catch (error) {
    if (error instanceof ApplyTypeError) return undefined;
    throw error;
  }
}

const config = anyOf(schema, 5)
  .map(configuration)
  .filter((object) => object !== undefined);
const runs = { numRuns: 40, seed: 5 };

const apply = (live: KubeObject | undefined, applied: KubeObject, manager = 'me'): KubeObject =>
  applyConfiguration({ ...base, live, applied, manager, force: true });

t.test('what was applied is what the applier manages, and applying it again changes nothing', async (t) => {
  fc.assert(
    fc.property(config, config, (first, second) => {
      const live = apply(undefined, first, 'other');
      const once = apply(live, second);
      return apply(once, second) === once;
    }),
    runs,
  );
  t.pass('always');
});

t.test('applying nothing more gives back the object as it was before the applier came', async (t) => {
  fc.assert(
    fc.property(config, config, (theirs, mine) => {
      const live = apply(undefined, theirs, 'other');
      const before = fieldsOf(type, { ...live, metadata: { ...live.metadata, managedFields: undefined } });
      const gone = apply(apply(live, mine), {});
      // Values that were taken over by force stay taken over: only the set of fields is the same or smaller.
      const after = fieldsOf(type, { ...gone, metadata: { ...gone.metadata, managedFields: undefined } });
      const extra = after.difference(before);
      return [...extra.paths()].every((path) => path.length <= 2 || path.includes('f:metadata'));
    }),
    runs,
  );
  t.pass('always');
});

t.test('the arguments are never changed', async (t) => {
  fc.assert(
    fc.property(config, config, (first, second) => {
      const live = apply(undefined, first, 'other');
      const copies = [JSON.stringify(live), JSON.stringify(second)];
      apply(live, second);
      recordUpdate({ ...base, before: live, after: second, manager: 'x' });
      return JSON.stringify(live) === copies[0] && JSON.stringify(second) === copies[1];
    }),
    runs,
  );
  t.pass('never');
});

t.test('after any update each field that changed is managed by its writer alone', async (t) => {
  fc.assert(
    fc.property(config, config, (first, second) => {
      const before = apply(undefined, first, 'other');
      const entries = recordUpdate({ ...base, before, after: second, manager: 'x' });
      if (!entries) return !before.metadata?.managedFields?.length;
      const sets = entries.map((entry) => FieldSet.fromFieldsV1(entry.fieldsV1));
      const [a = FieldSet.empty, b = FieldSet.empty] = sets;
      return sets.length <= 2 && a.intersection(b).isEmpty;
    }),
    runs,
  );
  t.pass('always');
});
