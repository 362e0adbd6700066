import { test } from 'tap';
import type { ManagedFieldsEntry } from '../../api/types/meta-v1.ts';
import { startApiFixture } from '../testing/api-fixture.ts';

const api = await startApiFixture();

const services = '/api/v1/namespaces/default/services';

interface Answered {
  message?: string;
  reason?: string;
  details?: { causes?: { reason?: string; message?: string; field?: string }[] };
  metadata: { resourceVersion: string; managedFields?: ManagedFieldsEntry[] };
  spec: { clusterIP?: string; ports: { port: number; name?: string }[]; sessionAffinity?: string };
}

const service = (name: string, spec: object) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec,
});

const apply = (name: string, body: unknown, query = 'fieldManager=me') =>
  api.call<Answered>({
    method: 'PATCH',
    path: `${services}/${name}?${query}`,
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body,
  });

const managers = (body: Answered): string[] =>
  (body.metadata.managedFields ?? []).map((entry) => `${entry.manager} ${entry.operation}`);

test('applying makes an object with its defaults, and the same again changes nothing', async (t) => {
  const wanted = service('made', { ports: [{ port: 80 }] });
  const first = await apply('made', wanted);
  t.equal(first.code, 201);
  t.match(first.body.spec, {
    clusterIP: /^\d/,
    sessionAffinity: 'None',
    ports: [{ port: 80, protocol: 'TCP' }],
  });
  t.same(first.body.metadata.managedFields?.[0]?.fieldsV1, {
    'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {} } } },
  });
  const second = await apply('made', wanted);
  t.equal(second.code, 200);
  t.equal(second.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
});

test('YAML is taken, and what is left out goes', async (t) => {
  await apply(
    'yaml',
    'apiVersion: v1\nkind: Service\nspec:\n  ports: [{port: 80, name: a}, {port: 81, name: b}]\n',
  );
  const { body } = await apply(
    'yaml',
    'apiVersion: v1\nkind: Service\nspec:\n  ports: [{port: 81, name: b}]\n',
  );
  t.match(body.spec.ports, [{ port: 81, name: 'b' }]);
  t.equal(body.spec.ports.length, 1);
});

test('a field of another manager is a conflict with a cause, until force takes it over', async (t) => {
  await apply(
    'shared',
    service('shared', { ports: [{ port: 80 }], sessionAffinity: 'ClientIP' }),
    'fieldManager=other',
  );
  const wanted = service('shared', { sessionAffinity: 'None' });
  const refused = await apply('shared', wanted);
  t.equal(refused.code, 409);
  t.equal(refused.body.reason, 'Conflict');
  t.equal(refused.body.message, 'Apply failed with 1 conflict: conflict with "other": .spec.sessionAffinity');
  t.same(refused.body.details?.causes, [
    { reason: 'FieldManagerConflict', message: 'conflict with "other"', field: '.spec.sessionAffinity' },
  ]);
  const forced = await apply('shared', wanted, 'fieldManager=me&force=true');
  t.equal(forced.code, 200);
  t.equal(forced.body.spec.sessionAffinity, 'None');
  t.same(managers(forced.body).sort(), ['me Apply', 'other Apply']);
});

test('an ordinary update of an applied object is recorded, by the manager that the request names', async (t) => {
  await apply('updated', service('updated', { ports: [{ port: 80 }] }));
  const { body } = await api.call<Answered>({
    method: 'PATCH',
    path: `${services}/updated?fieldManager=editor`,
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { spec: { selector: { app: 'web' } } },
  });
  t.same(managers(body), ['me Apply', 'editor Update']);
  t.match(body.metadata.managedFields?.[1]?.fieldsV1, { 'f:spec': { 'f:selector': {} } });
});

test('an object that was never applied records nobody', async (t) => {
  await api.call({ method: 'POST', path: services, body: service('plain', { ports: [{ port: 80 }] }) });
  const { body } = await api.call<Answered>({
    method: 'PATCH',
    path: `${services}/plain`,
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { metadata: { labels: { a: 'b' } } },
  });
  t.equal(body.metadata.managedFields, undefined);
});

test('a dry run of an apply stores nothing', async (t) => {
  const { code } = await apply(
    'dry',
    service('dry', { ports: [{ port: 80 }] }),
    'fieldManager=me&dryRun=All',
  );
  t.equal(code, 201);
  t.equal((await api.call({ path: `${services}/dry` })).code, 404);
});

const refusals: [title: string, body: unknown, query: string, code: number, message: string | RegExp][] = [
  [
    'without a field manager',
    service('bad', {}),
    '',
    422,
    'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
  ],
  [
    'with a field that does not exist',
    service('bad', { portz: [] }),
    'fieldManager=me',
    400,
    'failed to create typed patch object (default/bad; v1, Kind=Service): .spec.portz: field not declared in schema',
  ],
  [
    'with a value of a wrong type',
    service('bad', { ports: 'x' }),
    'fieldManager=me',
    400,
    /^failed to create typed patch object \(default\/bad; v1, Kind=Service\): json: cannot unmarshal string/,
  ],
  [
    'with two items of the same key',
    service('bad', { ports: [{ port: 80 }, { port: 80 }] }),
    'fieldManager=me',
    400,
    'failed to create typed patch object (default/bad; v1, Kind=Service): .spec.ports: duplicate entries for key [port=80,protocol="TCP"]',
  ],
  [
    'of another kind',
    { apiVersion: 'v1', kind: 'Pod' },
    'fieldManager=me',
    400,
    /^invalid object type: v1, Kind=Pod/,
  ],
  [
    'with another name',
    service('other', {}),
    'fieldManager=me',
    400,
    /^the name of the object \(other\) does not match/,
  ],
  [
    'that says who manages what',
    { ...service('bad', {}), metadata: { name: 'bad', managedFields: [{ manager: 'x' }] } },
    'fieldManager=me',
    400,
    'metadata.managedFields must be nil',
  ],
  ['that is no YAML', 'a: b: c', 'fieldManager=me', 400, /^error decoding yaml: yaml: line 1: /],
  [
    'that makes an invalid object',
    service('bad', { ports: [{ port: 0 }] }),
    'fieldManager=me',
    422,
    /^Service "bad" is invalid: .*spec\.ports\[0\]\.port: Invalid value: 0/,
  ],
];

for (const [title, body, query, code, message] of refusals)
  test(`an apply is refused ${title}`, async (t) => {
    const answer = await apply('bad', body, query);
    t.equal(answer.code, code);
    t.match(answer.body.message, message);
  });

test('force is for applying only', async (t) => {
  const { code, body } = await api.call<Answered>({
    method: 'PATCH',
    path: `${services}/plain?force=true`,
    headers: { 'content-type': 'application/merge-patch+json' },
    body: {},
  });
  t.equal(code, 422);
  t.match(body.message, /force: Forbidden: may not be specified for non-apply patch$/);
});

test('an object that is nested without end is refused', async (t) => {
  const deep = `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`;
  const { code, body } = await api.call<Answered>({
    method: 'POST',
    path: services,
    headers: { 'content-type': 'application/json' },
    body: deep,
  });
  t.equal(code, 400);
  t.equal(body.message, 'json: exceeded max depth');
});

test('the server stops', async (t) => {
  await t.resolves(api.stop());
});
