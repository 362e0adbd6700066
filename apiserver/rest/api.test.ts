import { test } from 'tap';
import { type ApiFixture, startApiFixture } from '../testing/api-fixture.ts';

const api = await startApiFixture();

const pods = '/api/v1/namespaces/default/pods';
const configMaps = '/api/v1/namespaces/default/configmaps';
const podSpec = { containers: [{ name: 'main', image: 'busybox' }] };
const pod = (name: string, extra: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { ...podSpec, ...extra },
});
const configMap = (name: string, data: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});
interface Status {
  kind: string;
  reason: string;
  message: string;
  code: number;
  details?: { name?: string; group?: string; kind?: string; causes?: { reason: string; field: string }[] };
}
interface Stored {
  kind: string;
  metadata: {
    name: string;
    uid: string;
    resourceVersion: string;
    generation?: number;
    labels?: Record<string, string>;
    deletionTimestamp?: string;
    deletionGracePeriodSeconds?: number;
    finalizers?: string[];
  };
  data?: Record<string, string>;
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
}

test('create answers with the stored object and its server-set metadata', async (t) => {
  const { code, body } = await api.call<Stored>({ method: 'POST', path: pods, body: pod('created') });
  t.equal(code, 201);
  t.match(body.metadata, {
    name: 'created',
    uid: /^[0-9a-f-]{36}$/,
    resourceVersion: /^\d+$/,
    generation: 1,
  });
  t.match(body.status, { phase: 'Pending' });
  const read = await api.call<Stored>({ path: `${pods}/created` });
  t.strictSame(read.body, body);
});

const refusals: [
  title: string,
  call: Parameters<ApiFixture['call']>[0],
  code: number,
  reason: string,
  message: string | RegExp,
][] = [
  ['an object that is not there', { path: `${pods}/none` }, 404, 'NotFound', 'pods "none" not found'],
  [
    'an object of a group that is not there',
    { path: '/apis/apps/v1/namespaces/default/deployments/none' },
    404,
    'NotFound',
    'deployments.apps "none" not found',
  ],
  [
    'a kind that is not served',
    { path: '/apis/foo/v1/bars' },
    404,
    'NotFound',
    'the server could not find the requested resource',
  ],
  [
    'a namespace that is not there',
    { method: 'POST', path: '/api/v1/namespaces/nowhere/pods', body: pod('a') },
    404,
    'NotFound',
    'namespaces "nowhere" not found',
  ],
  [
    'a body that is no JSON',
    { method: 'POST', path: pods, body: '{"kind":' },
    400,
    'BadRequest',
    /^the object provided is unrecognized \(must be of type Pod\): /,
  ],
  [
    'a body of another kind',
    { method: 'POST', path: pods, body: configMap('x') },
    400,
    'BadRequest',
    /^ConfigMap in version "v1" cannot be handled as a Pod: /,
  ],
  [
    'a value of the wrong type',
    { method: 'POST', path: configMaps, body: { ...configMap('x'), data: { a: 1 } } },
    400,
    'BadRequest',
    /^ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap\.data of type string/,
  ],
  [
    'a missing required field',
    { method: 'POST', path: pods, body: { ...pod('x'), spec: { containers: [{ name: 'a' }] } } },
    422,
    'Invalid',
    'Pod "x" is invalid: spec.containers[0].image: Required value',
  ],
  [
    'no name at all',
    { method: 'POST', path: configMaps, body: configMap('') },
    422,
    'Invalid',
    'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
  ],
  [
    'another namespace in the body',
    {
      method: 'POST',
      path: configMaps,
      body: { ...configMap('x'), metadata: { name: 'x', namespace: 'kube-system' } },
    },
    400,
    'BadRequest',
    'the namespace of the provided object does not match the namespace sent on the request',
  ],
  [
    'another name in the body',
    { method: 'PUT', path: `${configMaps}/other`, body: configMap('x') },
    400,
    'BadRequest',
    'the name of the object (x) does not match the name on the URL (other)',
  ],
  [
    'an unknown media type',
    { method: 'POST', path: pods, body: 'x', contentType: 'text/csv' },
    415,
    'UnsupportedMediaType',
    /^the body of the request was in an unknown format - accepted media types include: application\/json, application\/yaml/,
  ],
  [
    'an answer in an unknown media type',
    { path: pods, headers: { accept: 'text/csv' } },
    406,
    'NotAcceptable',
    /^only the following media types are accepted: application\/json/,
  ],
  [
    'an unknown patch type',
    { method: 'PATCH', path: `${pods}/created`, body: '{}', contentType: 'application/json' },
    415,
    'UnsupportedMediaType',
    /application\/merge-patch\+json/,
  ],
  [
    'a body over 3 MiB',
    { method: 'POST', path: configMaps, body: 'x'.repeat(3 * 1024 * 1024 + 1) },
    413,
    'RequestEntityTooLarge',
    'Request entity too large: limit is 3145728',
  ],
  [
    'PUT on a collection',
    { method: 'PUT', path: pods, body: pod('x') },
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  ],
  [
    'a selector that cannot be read',
    { path: `${pods}?labelSelector=a%3D%3D%3Db` },
    400,
    'BadRequest',
    /^unable to parse requirement: /,
  ],
  [
    'a field that cannot be selected',
    { path: `${pods}?fieldSelector=spec.foo%3Db` },
    400,
    'BadRequest',
    'field label not supported: spec.foo',
  ],
  [
    'a limit that is no number',
    { path: `${pods}?limit=many` },
    400,
    'BadRequest',
    /strconv\.ParseInt: parsing "many": invalid syntax/,
  ],
  [
    'a continue token of nobody',
    { path: `${pods}?limit=1&continue=xyz` },
    400,
    'BadRequest',
    /^continue key is not valid/,
  ],
  [
    'a resourceVersion of the future',
    { path: `${pods}?resourceVersion=99999999` },
    504,
    'Timeout',
    /^Timeout: Too large resource version: 99999999, current: \d+$/,
  ],
  [
    'path segments that do not decode',
    { path: '/api/v1/namespaces/%zz/pods' },
    400,
    'BadRequest',
    'the path is not valid percent-encoding',
  ],
  [
    'an unknown dryRun',
    { method: 'POST', path: `${configMaps}?dryRun=Some`, body: configMap('x') },
    400,
    'BadRequest',
    /Unsupported value: "Some"/,
  ],
  ['no credentials', { path: pods, as: null }, 401, 'Unauthorized', 'Unauthorized'],
  [
    'a wrong token',
    { path: pods, as: null, headers: { authorization: 'Bearer nonsense' } },
    401,
    'Unauthorized',
    'Unauthorized',
  ],
  [
    'a user without rights',
    { path: pods, as: null, headers: { authorization: 'Bearer secret-token' } },
    403,
    'Forbidden',
    'pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"',
  ],
  [
    'a user without rights on one object',
    {
      path: '/apis/apps/v1/namespaces/default/deployments/x',
      as: null,
      headers: { authorization: 'Bearer secret-token' },
    },
    403,
    'Forbidden',
    'deployments.apps "x" is forbidden: User "alice" cannot get resource "deployments" in API group "apps" in the namespace "default"',
  ],
  [
    'a user without rights on the cluster',
    { path: '/api/v1/nodes', as: null, headers: { authorization: 'Bearer secret-token' } },
    403,
    'Forbidden',
    'nodes is forbidden: User "alice" cannot list resource "nodes" in API group "" at the cluster scope',
  ],
  [
    'a user without rights on a path',
    { path: '/metrics', as: null, headers: { authorization: 'Bearer secret-token' } },
    403,
    'Forbidden',
    'forbidden: User "alice" cannot get path "/metrics"',
  ],
  [
    'an immortal namespace',
    { method: 'DELETE', path: '/api/v1/namespaces/default' },
    403,
    'Forbidden',
    'namespaces "default" is forbidden: this namespace may not be deleted',
  ],
];

for (const [title, call, code, reason, message] of refusals)
  test(`refuses ${title} as Kubernetes does`, async (t) => {
    const answer = await api.call<Status>(call);
    t.equal(answer.code, code, answer.text);
    t.match(answer.body, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code });
    t.match(answer.body.message, message);
  });

test('a second object of the same name is refused', async (t) => {
  await api.call({ method: 'POST', path: configMaps, body: configMap('twice') });
  const { code, body } = await api.call<Status>({
    method: 'POST',
    path: configMaps,
    body: configMap('twice'),
  });
  t.equal(code, 409);
  t.match(body, { reason: 'AlreadyExists', message: 'configmaps "twice" already exists' });
});

test('an update based on an old resourceVersion is refused', async (t) => {
  const first = await api.call<Stored>({ method: 'POST', path: configMaps, body: configMap('stale') });
  await api.call({ method: 'PUT', path: `${configMaps}/stale`, body: { ...first.body, data: { a: '1' } } });
  const { code, body } = await api.call<Status>({
    method: 'PUT',
    path: `${configMaps}/stale`,
    body: { ...first.body, data: { a: '2' } },
  });
  t.equal(code, 409);
  t.equal(
    body.message,
    'Operation cannot be fulfilled on configmaps "stale": the object has been modified; please apply your changes to the latest version and try again',
  );
});

test('an update that changes nothing keeps the resourceVersion', async (t) => {
  const first = await api.call<Stored>({
    method: 'POST',
    path: configMaps,
    body: configMap('same', { a: '1' }),
  });
  const second = await api.call<Stored>({ method: 'PUT', path: `${configMaps}/same`, body: first.body });
  t.equal(second.code, 200);
  t.equal(second.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
});

test('generateName makes names that differ', async (t) => {
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'gen-' } };
  const [a, b] = await Promise.all(
    [1, 2].map(() => api.call<Stored>({ method: 'POST', path: configMaps, body })),
  );
  t.match(a!.body.metadata.name, /^gen-[a-z0-9]{5}$/);
  t.not(a!.body.metadata.name, b!.body.metadata.name);
});

test('YAML is taken and given', async (t) => {
  const { code, text } = await api.call({
    method: 'POST',
    path: configMaps,
    body: 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  a: "1"\n',
    contentType: 'application/yaml',
    headers: { accept: 'application/yaml' },
  });
  t.equal(code, 201);
  t.match(text, /^kind: ConfigMap$/m);
  t.match(text, /^ {2}a: "1"$/m);
});

test('unknown fields are refused, warned of or ignored, as the client says', async (t) => {
  const body = { ...configMap('strict'), dataa: {} };
  const strict = await api.call<Status>({
    method: 'POST',
    path: `${configMaps}?fieldValidation=Strict`,
    body,
  });
  t.equal(strict.code, 400);
  t.equal(
    strict.body.message,
    'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dataa"',
  );
  const warn = await api.call({ method: 'POST', path: `${configMaps}?dryRun=All`, body });
  t.equal(warn.code, 201);
  t.equal(warn.headers.warning, '299 - "unknown field \\"dataa\\""');
  const ignore = await api.call({
    method: 'POST',
    path: `${configMaps}?fieldValidation=Ignore&dryRun=All`,
    body,
  });
  t.equal(ignore.code, 201);
  t.equal(ignore.headers.warning, undefined);
});

test('a duplicate field is refused under strict validation', async (t) => {
  const body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d"},"data":{"a":"1","a":"2"}}';
  const { code, body: status } = await api.call<Status>({
    method: 'POST',
    path: `${configMaps}?fieldValidation=Strict`,
    body,
  });
  t.equal(code, 400);
  t.match(status.message, /strict decoding error: duplicate field "data\.a"$/);
});

test('a dry run stores nothing', async (t) => {
  const { code } = await api.call({
    method: 'POST',
    path: `${configMaps}?dryRun=All`,
    body: configMap('dry'),
  });
  t.equal(code, 201);
  t.equal((await api.call({ path: `${configMaps}/dry` })).code, 404);
});

test('the three kinds of patch change an object', async (t) => {
  const body = {
    ...configMap('patched', { a: '1', b: '2' }),
    metadata: { name: 'patched', labels: { x: 'y' } },
  };
  await api.call({ method: 'POST', path: configMaps, body });
  const patch = (contentType: string, change: unknown) =>
    api.call<Stored>({ method: 'PATCH', path: `${configMaps}/patched`, body: change, contentType });
  const merged = await patch('application/merge-patch+json', { data: { a: null, c: '3' } });
  t.strictSame(merged.body.data, { b: '2', c: '3' });
  const strategic = await patch('application/strategic-merge-patch+json', {
    metadata: { labels: { z: '1' } },
  });
  t.strictSame(strategic.body.metadata.labels, { x: 'y', z: '1' });
  const listed = await patch('application/json-patch+json', [{ op: 'remove', path: '/metadata/labels/x' }]);
  t.strictSame(listed.body.metadata.labels, { z: '1' });
  const wrong = await patch('application/json-patch+json', [{ op: 'test', path: '/data/b', value: 'no' }]);
  t.equal(wrong.code, 422);
});

test('patches of one object at once all take effect', async (t) => {
  await api.call({ method: 'POST', path: configMaps, body: configMap('busy') });
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      api.call({
        method: 'PATCH',
        path: `${configMaps}/busy`,
        body: { data: { [`k${i}`]: 'v' } },
        contentType: 'application/merge-patch+json',
      }),
    ),
  );
  t.ok(answers.every((answer) => answer.code === 200));
  const { body } = await api.call<Stored>({ path: `${configMaps}/busy` });
  t.equal(Object.keys(body.data ?? {}).length, 20);
});

test('a pod on a node is deleted in two steps, one without a node at once', async (t) => {
  await api.call({ method: 'POST', path: pods, body: pod('free') });
  const free = await api.call<Stored>({ method: 'DELETE', path: `${pods}/free` });
  t.equal(free.code, 200);
  t.equal((await api.call({ path: `${pods}/free` })).code, 404);

  await api.call({ method: 'POST', path: pods, body: pod('bound') });
  const binding = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name: 'bound' },
    target: { kind: 'Node', name: 'n' },
  };
  t.equal((await api.call({ method: 'POST', path: `${pods}/bound/binding`, body: binding })).code, 201);
  const again = await api.call<Status>({ method: 'POST', path: `${pods}/bound/binding`, body: binding });
  t.equal(
    again.body.message,
    'Operation cannot be fulfilled on pods/binding "bound": pod bound is already assigned to node "n"',
  );
  const marked = await api.call<Stored>({ method: 'DELETE', path: `${pods}/bound` });
  t.match(marked.body.metadata, { deletionGracePeriodSeconds: 30, deletionTimestamp: /Z$/ });
  t.equal((await api.call({ path: `${pods}/bound` })).code, 200);
  await api.call({ method: 'DELETE', path: `${pods}/bound?gracePeriodSeconds=0` });
  t.equal((await api.call({ path: `${pods}/bound` })).code, 404);
});

test('finalizers hold an object until the last is gone', async (t) => {
  const body = { ...configMap('held'), metadata: { name: 'held', finalizers: ['example.com/a'] } };
  await api.call({ method: 'POST', path: configMaps, body });
  const marked = await api.call<Stored>({ method: 'DELETE', path: `${configMaps}/held` });
  t.ok(marked.body.metadata.deletionTimestamp);
  t.equal((await api.call({ path: `${configMaps}/held` })).code, 200);
  await api.call({
    method: 'PATCH',
    path: `${configMaps}/held`,
    body: { metadata: { finalizers: null } },
    contentType: 'application/merge-patch+json',
  });
  t.equal((await api.call({ path: `${configMaps}/held` })).code, 404);
});

test('propagation policies become finalizers', async (t) => {
  for (const [policy, finalizer] of [
    ['Foreground', 'foregroundDeletion'],
    ['Orphan', 'orphan'],
  ]) {
    await api.call({ method: 'POST', path: configMaps, body: configMap('owner') });
    const { body } = await api.call<Stored>({
      method: 'DELETE',
      path: `${configMaps}/owner`,
      body: { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: policy },
    });
    t.strictSame(body.metadata.finalizers, [finalizer]);
    await api.call({
      method: 'PATCH',
      path: `${configMaps}/owner`,
      body: { metadata: { finalizers: [] } },
      contentType: 'application/merge-patch+json',
    });
  }
});

test('a deletion precondition that does not hold is a conflict', async (t) => {
  await api.call({ method: 'POST', path: configMaps, body: configMap('pre') });
  const { code, body } = await api.call<Status>({
    method: 'DELETE',
    path: `${configMaps}/pre`,
    body: { preconditions: { uid: 'other' } },
  });
  t.equal(code, 409);
  t.match(
    body.message,
    /^Operation cannot be fulfilled on configmaps "pre": the UID in the precondition \(other\)/,
  );
});

test('deletecollection deletes what is selected', async (t) => {
  for (const [name, group] of [
    ['dc-1', 'a'],
    ['dc-2', 'a'],
    ['dc-3', 'b'],
  ])
    await api.call({
      method: 'POST',
      path: configMaps,
      body: { ...configMap(name!), metadata: { name, labels: { group } } },
    });
  const { body } = await api.call<{ items: Stored[] }>({
    method: 'DELETE',
    path: `${configMaps}?labelSelector=group%3Da`,
  });
  t.equal(body.items.length, 2);
  const rest = await api.call<{ items: Stored[] }>({ path: `${configMaps}?labelSelector=group` });
  t.strictSame(
    rest.body.items.map((item) => item.metadata.name),
    ['dc-3'],
  );
});

test('lists are paged consistently', async (t) => {
  const path = '/api/v1/namespaces/kube-public/configmaps';
  for (const name of ['a', 'b', 'c', 'd', 'e'])
    await api.call({ method: 'POST', path, body: configMap(name) });
  interface Page {
    metadata: { continue?: string; remainingItemCount?: number; resourceVersion: string };
    items: Stored[];
  }
  const first = await api.call<Page>({ path: `${path}?limit=2` });
  t.strictSame(
    first.body.items.map((item) => item.metadata.name),
    ['a', 'b'],
  );
  t.equal(first.body.metadata.remainingItemCount, 3);
  await api.call({ method: 'DELETE', path: `${path}/d` });
  const rest = await api.call<Page>({
    path: `${path}?limit=5&continue=${encodeURIComponent(first.body.metadata.continue!)}`,
  });
  t.strictSame(
    rest.body.items.map((item) => item.metadata.name),
    ['c', 'd', 'e'],
    'as it was at the first page',
  );
  t.equal(rest.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
  const exact = await api.call<Page>({
    path: `${path}?resourceVersion=${first.body.metadata.resourceVersion}&resourceVersionMatch=Exact`,
  });
  t.equal(exact.body.items.length, 5);
});

test('a table has the columns of the kind', async (t) => {
  const { body } = await api.call<{ columnDefinitions: { name: string }[]; rows: { cells: unknown[] }[] }>({
    path: `${pods}?fieldSelector=metadata.name%3Dcreated`,
    headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' },
  });
  t.strictSame(
    body.columnDefinitions.slice(0, 5).map((column) => column.name),
    ['Name', 'Ready', 'Status', 'Restarts', 'Age'],
  );
  t.strictSame(body.rows[0]?.cells.slice(0, 4), ['created', '0/1', 'Pending', '0']);
});

test('metadata alone is given on request', async (t) => {
  const { body } = await api.call<{ kind: string; items: object[] }>({
    path: `${pods}?fieldSelector=metadata.name%3Dcreated`,
    headers: { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' },
  });
  t.equal(body.kind, 'PartialObjectMetadataList');
  t.strictSame(Object.keys(body.items[0]!).sort(), ['apiVersion', 'kind', 'metadata']);
});

test('a large list is compressed for who can read it', async (t) => {
  const path = '/api/v1/namespaces/kube-node-lease/configmaps';
  await api.call({ method: 'POST', path, body: configMap('large', { a: 'x'.repeat(200_000) }) });
  const plain = await api.call({ path });
  t.equal(plain.headers['content-encoding'], undefined);
  const packed = await api.call({ path, headers: { accept: '*/*', 'accept-encoding': 'gzip' } });
  t.equal(packed.headers['content-encoding'], 'gzip');
  t.ok(packed.text.length < plain.text.length / 10);
});

test('the scale of a deployment is read and written', async (t) => {
  const deployments = '/apis/apps/v1/namespaces/default/deployments';
  const labels = { app: 'scaled' };
  await api.call({
    method: 'POST',
    path: deployments,
    body: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'scaled' },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: podSpec } },
    },
  });
  const { body } = await api.call<Stored>({
    method: 'PATCH',
    path: `${deployments}/scaled/scale`,
    body: { spec: { replicas: 7 } },
    contentType: 'application/merge-patch+json',
  });
  t.match(body, { kind: 'Scale', spec: { replicas: 7 }, status: { selector: 'app=scaled' } });
  const deployment = await api.call<Stored>({ path: `${deployments}/scaled` });
  t.match(deployment.body, { spec: { replicas: 7 }, metadata: { generation: 2 } });
  const wrong = await api.call<Status>({
    method: 'PUT',
    path: `${deployments}/scaled/scale`,
    body: { ...body, metadata: { name: 'scaled' }, spec: { replicas: -1 } },
  });
  t.match(wrong.body.message, /spec\.replicas: Invalid value: -1: must be greater than or equal to 0/);
});

test('a terminating namespace takes nothing new and goes when finalized', async (t) => {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'leaving' } };
  const made = await api.call<Stored>({ method: 'POST', path: '/api/v1/namespaces', body: namespace });
  t.strictSame(made.body.spec, { finalizers: ['kubernetes'] });
  const marked = await api.call<Stored>({ method: 'DELETE', path: '/api/v1/namespaces/leaving' });
  t.match(marked.body.status, { phase: 'Terminating' });
  const refused = await api.call<Status>({
    method: 'POST',
    path: '/api/v1/namespaces/leaving/configmaps',
    body: configMap('late'),
  });
  t.equal(
    refused.body.message,
    'configmaps "late" is forbidden: unable to create new content in namespace leaving because it is being terminated',
  );
  t.equal(refused.body.details?.causes?.[0]?.reason, 'NamespaceTerminating');
  await api.call({
    method: 'PUT',
    path: '/api/v1/namespaces/leaving/finalize',
    body: { ...marked.body, spec: { finalizers: [] } },
  });
  t.equal((await api.call({ path: '/api/v1/namespaces/leaving' })).code, 404);
});

test('health and version are public', async (t) => {
  t.equal((await api.call({ path: '/livez', as: null })).text, 'ok');
  t.match((await api.call({ path: '/readyz?verbose', as: null })).text, /^\[\+\]ping ok\n\[\+\]etcd ok\n/);
  t.match((await api.call({ path: '/version', as: null })).body, { major: '1', minor: '34' });
});

test('discovery lists kinds and subresources, alone and aggregated', async (t) => {
  const { body } = await api.call<{ resources: { name: string; verbs: string[] }[] }>({ path: '/api/v1' });
  const names = body.resources.map((resource) => resource.name);
  for (const name of ['pods', 'pods/status', 'pods/binding', 'pods/log', 'pods/exec', 'namespaces/finalize'])
    t.ok(names.includes(name), name);
  const type = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const aggregated = await api.call<{ items: { metadata: { name: string } }[] }>({
    path: '/apis',
    headers: { accept: `${type},application/json` },
  });
  t.equal(aggregated.headers['content-type'], type);
  t.ok(aggregated.body.items.some((item) => item.metadata.name === 'apps'));
});

test('OpenAPI describes what kubectl apply looks for', async (t) => {
  const index = await api.call<{ paths: Record<string, { serverRelativeURL: string }> }>({
    path: '/openapi/v3',
  });
  const url = index.body.paths['apis/apps/v1']!.serverRelativeURL;
  const document = await api.call<{
    paths: Record<string, { patch?: { parameters: { name: string }[] } }>;
    components: { schemas: Record<string, object> };
  }>({ path: url });
  t.match(document.headers['cache-control'], /immutable/);
  const path = '/apis/apps/v1/namespaces/{namespace}/deployments/{name}';
  t.ok(document.body.paths[path]?.patch?.parameters.some((item) => item.name === 'fieldValidation'));
  t.ok(document.body.components.schemas['io.k8s.api.core.v1.PodSpec']);
});

// Last, so that it also cleans up.
test('the server stops at once though clients hold connections', async (t) => {
  await t.resolves(api.stop());
});
