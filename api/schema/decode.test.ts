import t from 'tap';
import type { KubeObject } from '../object.ts';
import { decodeObject, strictFailure } from './decode.ts';
import { countPairs, duplicateFields, parseJSON } from './json-text.ts';
import { schemaOf } from './kubernetes.ts';
import { canonicalMicroTime, canonicalTime } from './time.ts';
import { walkSchema } from './walk.ts';
import { parseYAML } from './yaml.ts';

const pod = { group: '', version: 'v1', kind: 'Pod', schema: schemaOf('io.k8s.api.core.v1.Pod') };
const deployment = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  schema: schemaOf('io.k8s.api.apps.v1.Deployment'),
};
const isKnown = (apiVersion: string, kind: string): boolean =>
  ['v1/Pod', 'v1/Service', 'apps/v1/Pod'].includes(`${apiVersion}/${kind}`);
const cannot = 'Pod in version "v1" cannot be handled as a Pod: ';

const refused: [title: string, text: string, message: string][] = [
  [
    'an empty body',
    '',
    "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
  ],
  [
    'a trailing comma',
    '{"a":1,}',
    `the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: invalid character '}' looking for beginning of object key string ({"a":1,})`,
  ],
  [
    'text that is not JSON',
    'kind: Pod\nthis is yaml in the wrong type',
    `the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: invalid character 'k' looking for beginning of value (${Buffer.from('kind: Pod\nthis is yaml in the wrong type').subarray(0, 30).toString('hex')} ...)`,
  ],
  [
    'a kind that is no text',
    '{"kind":3}',
    `the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string ({"kind":3})`,
  ],
  [
    'another kind',
    '{"kind":"Service"}',
    'Service in version "v1" cannot be handled as a Pod: converting (v1.Service) to (core.Pod): unknown conversion',
  ],
  [
    'a kind that nobody knows',
    '{"kind":"Foo"}',
    'Foo in version "v1" cannot be handled as a Pod: no kind "Foo" is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
  ],
  [
    'a version that nobody knows',
    '{"apiVersion":"v2","kind":"Pod"}',
    'Pod in version "v2" cannot be handled as a Pod: no kind "Pod" is registered for version "v2" in scheme "pkg/api/legacyscheme/scheme.go:30"',
  ],
  [
    'another version of the kind',
    '{"apiVersion":"apps/v1","kind":"Pod"}',
    'the API version in the data (apps/v1) does not match the expected API version (v1)',
  ],
  [
    'a list where an object should be',
    '{"spec":[]}',
    `${cannot}json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec`,
  ],
  [
    'an object where a list should be',
    '{"spec":{"containers":{}}}',
    `${cannot}json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container`,
  ],
  [
    'text where a number should be',
    '{"spec":{"containers":[{"ports":[{"containerPort":"80"}]}]}}',
    `${cannot}json: cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32`,
  ],
  [
    'a fraction where an integer should be',
    '{"spec":{"terminationGracePeriodSeconds":1.5}}',
    `${cannot}json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64`,
  ],
  [
    'an integer that is too large',
    '{"spec":{"priority":3000000000}}',
    `${cannot}json: cannot unmarshal number 3000000000 into Go struct field PodSpec.spec.priority of type int32`,
  ],
  [
    'a boolean among the labels',
    '{"metadata":{"labels":{"a":true}}}',
    `${cannot}json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string`,
  ],
  [
    'a number as an environment variable',
    '{"spec":{"containers":[{"env":[{"name":"A","value":1}]}]}}',
    `${cannot}json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string`,
  ],
  [
    'a boolean where a named string should be',
    '{"spec":{"restartPolicy":true}}',
    `${cannot}json: cannot unmarshal bool into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy`,
  ],
  [
    'a malformed quantity',
    '{"spec":{"containers":[{"resources":{"limits":{"cpu":"lots"}}}]}}',
    `${cannot}quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
  ],
  [
    'a malformed time',
    '{"metadata":{"creationTimestamp":"yesterday"}}',
    `${cannot}parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"`,
  ],
];

for (const [title, text, message] of refused)
  t.test(`a body is refused: ${title}`, async (t) => {
    t.throws(() => decodeObject(text, pod, { strict: true, isKnown }), { name: 'DecodeError', message });
  });

t.test('a body without kind and apiVersion is what the address says', async (t) => {
  const { object } = decodeObject('{"metadata":{"name":"a"}}', deployment, { strict: true });
  t.same(object, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' } });
});

t.test('unknown fields are dropped and, under strict validation, reported by their path', async (t) => {
  const text = JSON.stringify({
    foo: 1,
    metadata: { name: 'a', extra: {} },
    spec: { containers: [{ name: 'a' }, { name: 'b', Image: 'x', ports: [{ port: 1 }] }], nodeselector: {} },
  });
  const { object, strictErrors } = decodeObject<KubeObject & { spec?: object }>(text, pod, { strict: true });
  t.same(strictErrors, [
    'unknown field "foo"',
    'unknown field "metadata.extra"',
    'unknown field "spec.containers[1].Image"',
    'unknown field "spec.containers[1].ports[0].port"',
    'unknown field "spec.nodeselector"',
  ]);
  t.same(object.spec, {
    containers: [{ name: 'a' }, { name: 'b', ports: [{ containerPort: 0 }] }],
  });
  t.same(decodeObject(text, pod, { strict: false }).strictErrors, [], 'nothing is reported unless asked for');
  t.equal(
    strictFailure(pod, ['unknown field "spec.a"', 'unknown field "spec.b"']),
    `${cannot}strict decoding error: unknown field "spec.a", unknown field "spec.b"`,
  );
});

t.test('fields that stand twice are reported by their path; the last one counts', async (t) => {
  const text = '{"spec":{"hostname":"a","containers":[{"name":"x","name":"y"}],"hostname":"b"}}';
  const { object, strictErrors } = decodeObject<KubeObject & { spec?: { hostname?: string } }>(text, pod, {
    strict: true,
  });
  t.same(strictErrors, ['duplicate field "spec.containers[0].name"', 'duplicate field "spec.hostname"']);
  t.equal(object.spec?.hostname, 'b');
});

t.test('an object comes out as Kubernetes would write it back', async (t) => {
  const { object } = decodeObject(
    JSON.stringify({
      metadata: { labels: { a: null }, annotations: {}, creationTimestamp: '2024-01-02T03:04:05.6+01:00' },
      spec: {
        hostNetwork: false,
        hostname: '',
        terminationGracePeriodSeconds: 0,
        nodeName: null,
        containers: [
          {
            name: 'a',
            command: [],
            tty: false,
            env: [{ name: 'A', value: '' }],
            resources: { limits: { cpu: 0.5, memory: '1024Mi' } },
            securityContext: { privileged: false },
          },
        ],
        volumes: [{ name: 'v', emptyDir: {} }],
      },
    }),
    pod,
    { strict: true },
  );
  t.same(object, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { labels: { a: '' }, creationTimestamp: '2024-01-02T02:04:05Z' },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'a',
          env: [{ name: 'A' }],
          resources: { limits: { cpu: '500m', memory: '1Gi' } },
          securityContext: { privileged: false },
        },
      ],
      volumes: [{ name: 'v', emptyDir: {} }],
    },
  });
});

t.test('a part of an object is not filled up when that is not wanted', async (t) => {
  const part = { spec: { containers: [{ name: 'a', ports: [{ name: 'x' }] }] } };
  t.same(walkSchema(pod.schema, structuredClone(part), { fillRequired: false }).value, part);
});

t.test('YAML is read as Kubernetes reads it', async (t) => {
  const yaml = (text: string) =>
    decodeObject<KubeObject & Record<string, unknown>>(text, pod, { strict: true, yaml: parseYAML });
  t.same(yaml('metadata:\n  name: a\nspec:\n  hostNetwork: yes\n---\nmetadata:\n  name: b\n').object, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a' },
    spec: { hostNetwork: true, containers: [] },
  });
  t.same(yaml('spec:\n  hostname: a\n  hostname: b\n').strictErrors, [
    'yaml: unmarshal errors:\n  line 3: key "hostname" already set in map',
  ]);
  t.match(yaml('metadata: {labels: {date: 2024-01-01, time: "10:30"}}').object, {
    metadata: { labels: { date: '2024-01-01', time: '10:30' } },
  });
  t.match(yaml('{"metadata":{"name":"json"}}').object, { metadata: { name: 'json' } });
  const bomb = `a: &a [${'x,'.repeat(20)}]\nb: &b [${'*a,'.repeat(20)}]\nc: [${'*b,'.repeat(20)}]`;
  t.throws(() => yaml(bomb), { message: /: yaml: document contains excessive aliasing \(/ });
  t.throws(() => yaml('a: *b'), { message: /: yaml: .*\bb\b/ });
  t.throws(() => yaml('a: b: c'), {
    message:
      /^the object provided is unrecognized \(must be of type Pod\): yaml: line 1: mapping values are not allowed in this context \(613a20623a2063\)$/,
  });
});

const syntax: [text: string, message: string][] = [
  ['{', 'unexpected end of JSON input'],
  ['{"a"}', "invalid character '}' after object key"],
  ['{"a":1 "b":2}', `invalid character '"' after object key:value pair`],
  ['[1 2]', "invalid character '2' after array element"],
  ['{} x', "invalid character 'x' after top-level value"],
  ['tru', 'unexpected end of JSON input'],
  ['trUe', "invalid character 'U' in literal true (expecting 'u')"],
  ['"a\nb"', "invalid character '\\n' in string literal"],
  ['"\\x"', "invalid character 'x' in string escape code"],
  ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
  ['-x', "invalid character 'x' in numeric literal"],
  ['1.x', "invalid character 'x' after decimal point in numeric literal"],
];

for (const [text, message] of syntax)
  t.test(`JSON that is malformed is refused in Go's words: ${JSON.stringify(text)}`, async (t) => {
    t.throws(() => parseJSON(text), { message });
  });

t.test('pairs are counted outside strings only', async (t) => {
  t.equal(countPairs('{"a:b":"c:d","e\\"":{"f":[1,{"g":2}]},"h\\\\":":"}'), 5);
  t.same(duplicateFields('{"a":{"b":1,"b":2},"c":[{"d":1,"d":1}]}'), ['a.b', 'c[0].d']);
});

t.test('times are canonical: UTC, whole seconds or microseconds', async (t) => {
  t.equal(canonicalTime('2024-01-02T03:04:05Z'), '2024-01-02T03:04:05Z');
  t.equal(canonicalTime('2024-01-02T03:04:05.999-02:00'), '2024-01-02T05:04:05Z');
  t.equal(canonicalMicroTime('2024-01-02T03:04:05Z'), '2024-01-02T03:04:05.000000Z');
  t.equal(canonicalMicroTime('2024-01-02T03:04:05.1234567Z'), '2024-01-02T03:04:05.123456Z');
  t.throws(() => canonicalTime('2024-02-30T00:00:00Z'), { message: /day out of range/ });
  t.throws(() => canonicalTime('2024-01-02T25:00:00Z'), { message: /hour out of range/ });
});
