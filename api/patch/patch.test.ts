import t from 'tap';
import { schemaOf } from '../schema/kubernetes.ts';
import { applyJSONPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { type JSONObject, PatchError } from './patch-error.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

const deploymentSchema = schemaOf('io.k8s.api.apps.v1.Deployment');
const podSchema = schemaOf('io.k8s.api.core.v1.Pod');

const refusal = (run: () => unknown): { code: number; detail: string } => {
  try {
    run();
  } catch (error) {
    if (error instanceof PatchError) return { code: error.code, detail: error.detail };
    throw error;
  }
  return { code: 200, detail: '' };
};

t.test('a merge patch merges objects, deletes by null and replaces lists', async (t) => {
  const before = { a: { b: 1, c: 2 }, list: [1, 2], gone: 'x' };
  t.same(applyMergePatch(before, { a: { c: null, d: 3 }, list: [3], gone: null, new: { x: null, y: 1 } }), {
    a: { b: 1, d: 3 },
    list: [3],
    new: { y: 1 },
  });
  t.same(before, { a: { b: 1, c: 2 }, list: [1, 2], gone: 'x' }, 'the document is not changed');
  t.same(
    refusal(() => applyMergePatch({}, [])),
    { code: 400, detail: 'Invalid JSON Patch' },
  );
});

const document = { metadata: { labels: { a: '1', 'b/c': '2' } }, list: [{ n: 1 }, { n: 2 }] };

const jsonPatches: [title: string, patch: unknown, result: JSONObject][] = [
  ['adds a field', [{ op: 'add', path: '/x', value: null }], { ...document, x: null }],
  [
    'reads ~1 and ~0 in a path',
    [{ op: 'replace', path: '/metadata/labels/b~1c', value: '3' }],
    { ...document, metadata: { labels: { a: '1', 'b/c': '3' } } },
  ],
  [
    'appends with -',
    [{ op: 'add', path: '/list/-', value: 5 }],
    { ...document, list: [{ n: 1 }, { n: 2 }, 5] },
  ],
  [
    'inserts before an index',
    [{ op: 'add', path: '/list/0', value: 0 }],
    { ...document, list: [0, { n: 1 }, { n: 2 }] },
  ],
  ['removes by index', [{ op: 'remove', path: '/list/0' }], { ...document, list: [{ n: 2 }] }],
  ['moves', [{ op: 'move', from: '/list/0', path: '/list/1' }], { ...document, list: [{ n: 2 }, { n: 1 }] }],
  ['copies', [{ op: 'copy', from: '/list/0', path: '/y' }], { ...document, y: { n: 1 } }],
  ['passes a test that holds', [{ op: 'test', path: '/list', value: [{ n: 1 }, { n: 2 }] }], document],
  ['takes an absent field for null in a test', [{ op: 'test', path: '/nothing', value: null }], document],
];

for (const [title, patch, result] of jsonPatches)
  t.test(`a JSON patch ${title}`, async (t) => {
    const before = structuredClone(document);
    t.same(applyJSONPatch(before, patch), result);
    t.same(before, document, 'the document is not changed');
  });

const jsonRefusals: [patch: unknown, code: number, detail: RegExp][] = [
  [{}, 400, /cannot unmarshal object into Go value of type \[\]handlers.jsonPatchOp/],
  [
    [{ op: 'add', path: 3 }],
    400,
    /cannot unmarshal number into Go struct field jsonPatchOp.path of type string/,
  ],
  [
    [{ op: 'test', path: '/metadata/labels/a', value: '2' }],
    422,
    /testing value \/metadata\/labels\/a failed: test failed/,
  ],
  [[{ op: 'remove', path: '/x' }], 422, /Unable to remove nonexistent key: x: missing value/],
  [
    [{ op: 'replace', path: '/x', value: 1 }],
    422,
    /replace operation does not apply: doc is missing key: \/x/,
  ],
  [
    [{ op: 'add', path: '/x/y', value: 1 }],
    422,
    /add operation does not apply: doc is missing path: "\/x\/y": missing value/,
  ],
  [[{ op: 'add', path: '/list/7', value: 1 }], 422, /Unable to access invalid index: 7/],
  [[{ op: 'frob', path: '/x' }], 422, /Unexpected kind: frob/],
  [[{ op: 'add', path: 'x', value: 1 }], 422, /doc is missing path: "x"/],
  [[{ op: 'replace', path: '', value: {} }], 422, /doc is missing path: ""/],
  [[{ op: 'add', value: 1 }], 422, /failed to decode path/],
];

for (const [patch, code, detail] of jsonRefusals)
  t.test(`a JSON patch is refused: ${JSON.stringify(patch)}`, async (t) => {
    const refused = refusal(() => applyJSONPatch(document, patch));
    t.equal(refused.code, code);
    t.match(refused.detail, detail);
  });

t.test('a refused JSON patch tells the client what Kubernetes tells', async (t) => {
  t.throws(() => applyJSONPatch(document, [{ op: 'remove', path: '/x' }]), {
    message: 'the server rejected our request due to an error in our request',
  });
});

const container = (name: string, rest: JSONObject = {}): JSONObject => ({
  name,
  image: `${name}:1`,
  ...rest,
});
const pod = (spec: JSONObject): JSONObject => ({ spec });

const strategic: [title: string, before: JSONObject, patch: JSONObject, after: JSONObject][] = [
  [
    'merges containers by name',
    pod({ containers: [container('a'), container('b')] }),
    pod({ containers: [{ name: 'b', image: 'b:2' }] }),
    pod({ containers: [container('a'), container('b', { image: 'b:2' })] }),
  ],
  [
    'puts a container that is new before those that the patch does not name',
    pod({ containers: [container('a')] }),
    pod({ containers: [container('c')] }),
    pod({ containers: [container('c'), container('a')] }),
  ],
  [
    'deletes an item with $patch: delete',
    pod({ containers: [container('a'), container('b')] }),
    pod({ containers: [{ $patch: 'delete', name: 'a' }] }),
    pod({ containers: [container('b')] }),
  ],
  [
    'replaces a list with $patch: replace',
    pod({ containers: [container('a'), container('b')] }),
    pod({ containers: [container('c'), { $patch: 'replace' }] }),
    pod({ containers: [container('c')] }),
  ],
  [
    'replaces a map with $patch: replace',
    { metadata: { labels: { a: '1' } } },
    { metadata: { labels: { $patch: 'replace', b: '2' } } },
    { metadata: { labels: { b: '2' } } },
  ],
  [
    'empties a map with $patch: delete',
    { metadata: { labels: { a: '1' } } },
    { metadata: { labels: { $patch: 'delete' } } },
    { metadata: { labels: {} } },
  ],
  [
    'replaces lists without a merge key',
    pod({ containers: [container('a', { command: ['x', 'y'] })] }),
    pod({ containers: [{ name: 'a', command: ['z'] }] }),
    pod({ containers: [container('a', { command: ['z'] })] }),
  ],
  [
    'replaces tolerations, which have no merge key',
    pod({ tolerations: [{ key: 'a' }] }),
    pod({ tolerations: [{ key: 'b' }] }),
    pod({ tolerations: [{ key: 'b' }] }),
  ],
  [
    'merges finalizers as a set',
    { metadata: { finalizers: ['a', 'b'] } },
    { metadata: { finalizers: ['b', 'c'] } },
    { metadata: { finalizers: ['a', 'b', 'c'] } },
  ],
  [
    'takes from a set with $deleteFromPrimitiveList',
    { metadata: { finalizers: ['a', 'b', 'c'] } },
    { metadata: { '$deleteFromPrimitiveList/finalizers': ['b'] } },
    { metadata: { finalizers: ['a', 'c'] } },
  ],
  [
    'deletes a field by null',
    pod({ nodeName: 'x', hostname: 'y' }),
    pod({ nodeName: null }),
    pod({ hostname: 'y' }),
  ],
  [
    'ignores nulls in what is new',
    pod({}),
    pod({ securityContext: { runAsUser: 1, fsGroup: null } }),
    pod({ securityContext: { runAsUser: 1 } }),
  ],
  [
    'keeps only the named keys with $retainKeys',
    pod({ volumes: [{ name: 'v', emptyDir: {} }] }),
    pod({ volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] }),
    pod({ volumes: [{ name: 'v', hostPath: { path: '/x' } }] }),
  ],
  [
    'switches the strategy of a deployment with $retainKeys',
    { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } },
    { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
    { spec: { strategy: { type: 'Recreate' } } },
  ],
  [
    'orders a list by $setElementOrder',
    pod({ containers: [container('a'), container('b')] }),
    pod({ '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] }),
    pod({ containers: [container('b'), container('a')] }),
  ],
  [
    'changes and orders a list in one patch',
    pod({ containers: [container('a'), container('b')] }),
    pod({
      '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }, { name: 'b' }],
      containers: [container('c'), { name: 'a', image: 'a:2' }],
    }),
    pod({ containers: [container('c'), container('a', { image: 'a:2' }), container('b')] }),
  ],
  [
    'keeps items that only the server has near their neighbours',
    pod({ containers: [container('a'), container('sidecar'), container('b')] }),
    pod({ '$setElementOrder/containers': [{ name: 'a' }, { name: 'b' }] }),
    pod({ containers: [container('a'), container('sidecar'), container('b')] }),
  ],
  [
    'merges ports by containerPort',
    pod({ containers: [container('a', { ports: [{ containerPort: 80, name: 'x' }] })] }),
    pod({ containers: [{ name: 'a', ports: [{ containerPort: 80, name: 'y' }, { containerPort: 81 }] }] }),
    pod({
      containers: [container('a', { ports: [{ containerPort: 80, name: 'y' }, { containerPort: 81 }] })],
    }),
  ],
  [
    'merges environment variables by name',
    pod({ containers: [container('a', { env: [{ name: 'X', value: '1' }] })] }),
    pod({
      containers: [
        {
          name: 'a',
          env: [
            { name: 'Y', value: '2' },
            { name: 'X', $patch: 'delete' },
          ],
        },
      ],
    }),
    pod({ containers: [container('a', { env: [{ name: 'Y', value: '2' }] })] }),
  ],
];

for (const [title, before, patch, after] of strategic)
  t.test(`a strategic merge patch ${title}`, async (t) => {
    const copy = structuredClone(before);
    const schema = Object.hasOwn((before.spec ?? {}) as object, 'strategy') ? deploymentSchema : podSchema;
    t.same(applyStrategicMergePatch(before, patch, schema), after);
    t.same(before, copy, 'the document is not changed');
  });

const strategicRefusals: [patch: unknown, detail: string][] = [
  [[], 'json: cannot unmarshal array into Go value of type map[string]interface {}'],
  [{ spec: { containers: [{ image: 'x' }] } }, 'map: map[image:x] does not contain declared merge key: name'],
  [{ spec: { $patch: 'frob' } }, 'unknown patch type: frob in map: map[$patch:frob]'],
  [{ spec: { $retainKeys: 'x' } }, 'invalid patch format of retainKeys'],
  [{ spec: { $retainKeys: ['a'], b: 1 } }, 'invalid patch format of retainKeys'],
  [{ spec: { '$deleteFromPrimitiveList/x': 3 } }, 'invalid patch format of primitive list'],
  [{ spec: { '$setElementOrder/containers': {} } }, 'invalid patch format of setElementOrder list'],
];

for (const [patch, detail] of strategicRefusals)
  t.test(`a strategic merge patch is refused: ${JSON.stringify(patch)}`, async (t) => {
    const before = pod({ containers: [container('a')] });
    t.same(
      refusal(() => applyStrategicMergePatch(before, patch, podSchema)),
      { code: 400, detail },
    );
  });

t.test('a field named __proto__ is a field like any other', async (t) => {
  const patch = JSON.parse('{"data":{"__proto__":"x"}}') as JSONObject;
  const added = [{ op: 'add', path: '/data/__proto__', value: 'x' }];
  const schema = schemaOf('io.k8s.api.core.v1.ConfigMap');
  for (const result of [
    applyMergePatch({ data: {} }, patch),
    applyStrategicMergePatch({ data: {} }, patch, schema),
    applyStrategicMergePatch({}, patch, schema),
    applyJSONPatch({ data: {} }, added),
  ])
    t.equal(JSON.stringify(result), '{"data":{"__proto__":"x"}}');
});
