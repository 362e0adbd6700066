import fc from 'fast-check';
import t from 'tap';
import { schemaOf } from '../schema/kubernetes.ts';
import { applyJSONPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { type JSONObject, PatchError } from './patch-error.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

const schema = schemaOf('io.k8s.api.apps.v1.Deployment');
const container = { name: 'c', image: 'x', ports: [{ containerPort: 80 }], env: [{ name: 'A', value: '1' }] };
const object = fc.constantFrom<JSONObject>(
  {},
  { metadata: { name: 'a', labels: { a: 'b' }, finalizers: ['x/a', 'x/b'] } },
  {
    metadata: { finalizers: ['x/a'] },
    spec: { replicas: 1, template: { spec: { containers: [container] } } },
  },
);

/** JSON with the fields and directives of patches in unlikely places. */
const patch = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom<unknown>(null, 'x', 1, true, 'delete', 'replace', 'merge'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        'spec',
        'template',
        'containers',
        'name',
        'metadata',
        'finalizers',
        '$patch',
        '$retainKeys',
        '$setElementOrder/containers',
        '$deleteFromPrimitiveList/finalizers',
        '__proto__',
      ),
      tie('value'),
      { maxKeys: 4 },
    ),
  ),
})).value;

const operation = fc.record(
  {
    op: fc.constantFrom<unknown>('add', 'remove', 'replace', 'move', 'copy', 'test', 'x', 3),
    path: fc.constantFrom<unknown>(
      '',
      'x',
      '/',
      '/spec',
      '/spec/replicas',
      '/metadata/labels/a',
      '/spec/template/-',
      '/a/0',
      5,
    ),
    from: fc.constantFrom('', '/spec', '/metadata/name', '/spec/template/spec/containers/0'),
    value: patch,
  },
  { requiredKeys: [] },
);

/** Whether the patch applies to its own copy of the document, or is refused as a patch. */
function isApplied(document: JSONObject, run: (document: JSONObject) => unknown): boolean {
  const before = JSON.stringify(document);
  try {
    run(document);
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
  }
  return JSON.stringify(document) === before;
}

t.test('whatever a patch says, it applies or is refused, and the document stays as it was', async (t) => {
  const runs = { numRuns: 500, seed: 3 };
  fc.assert(
    fc.property(object, patch, (document, change) =>
      isApplied(document, (copy) => applyStrategicMergePatch(copy, change, schema)),
    ),
    runs,
  );
  fc.assert(
    fc.property(object, patch, (document, change) =>
      isApplied(document, (copy) => applyMergePatch(copy, change)),
    ),
    runs,
  );
  fc.assert(
    fc.property(object, fc.array(operation, { maxLength: 4 }), (document, change) =>
      isApplied(document, (copy) => applyJSONPatch(copy, change)),
    ),
    runs,
  );
  t.pass('always');
});
