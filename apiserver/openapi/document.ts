import { apiVersionOf } from '../../api/object.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { described } from './descriptions.ts';

/** A schema as it stands in the document; only references are looked at. */
type Schema = object;
type Json = Record<string, unknown>;

const reference = '#/components/schemas/';
const deleteOptions = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions';
const status = 'io.k8s.apimachinery.pkg.apis.meta.v1.Status';
const patch = 'io.k8s.apimachinery.pkg.apis.meta.v1.Patch';
const scale = 'io.k8s.api.autoscaling.v1.Scale';

const patchTypes = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];

const parameter = (name: string, type: string, place = 'query'): Json => ({
  name,
  in: place,
  ...(place === 'path' && { required: true }),
  schema: { type, uniqueItems: true },
});

const writeParameters = ['dryRun', 'fieldManager', 'fieldValidation'].map((name) =>
  parameter(name, 'string'),
);
const patchParameters = [...writeParameters, parameter('force', 'boolean')];
const listParameters = [
  parameter('allowWatchBookmarks', 'boolean'),
  parameter('continue', 'string'),
  parameter('fieldSelector', 'string'),
  parameter('labelSelector', 'string'),
  parameter('limit', 'integer'),
  parameter('resourceVersion', 'string'),
  parameter('resourceVersionMatch', 'string'),
  parameter('sendInitialEvents', 'boolean'),
  parameter('timeoutSeconds', 'integer'),
  parameter('watch', 'boolean'),
];
const deleteParameters = [
  parameter('dryRun', 'string'),
  parameter('gracePeriodSeconds', 'integer'),
  parameter('orphanDependents', 'boolean'),
  parameter('propagationPolicy', 'string'),
];

const ref = (name: string): Json => ({ $ref: `${reference}${name}` });
const content = (types: readonly string[], schema: string): Json =>
  Object.fromEntries(types.map((type) => [type, { schema: ref(schema) }]));
const answers = (schema: string, ...codes: number[]): Json =>
  Object.fromEntries(
    codes.map((code) => [
      code,
      {
        description: code === 201 ? 'Created' : 'OK',
        content: content(['application/json', 'application/yaml'], schema),
      },
    ]),
  );

interface OperationOptions {
  action: string;
  kind: { group: string; version: string; kind: string };
  parameters?: readonly Json[];
  body?: string;
  bodyTypes?: readonly string[];
  result: string;
  codes?: readonly number[];
}

const operation = ({
  action,
  kind,
  parameters = [],
  body,
  bodyTypes,
  result,
  codes = [200],
}: OperationOptions): Json => ({
  ...(parameters.length && { parameters }),
  ...(body && { requestBody: { required: true, content: content(bodyTypes ?? ['*/*'], body) } }),
  responses: { ...answers(result, ...codes), 401: { description: 'Unauthorized' } },
  'x-kubernetes-action': action,
  'x-kubernetes-group-version-kind': { group: kind.group, kind: kind.kind, version: kind.version },
});

/** The name of the definition of a kind's list. */
const listSchema = (kind: KindDeclaration): string =>
  `${kind.schema.slice(0, kind.schema.lastIndexOf('.') + 1)}${kind.listKind}`;

/** The paths of one kind. */
function pathsOf(kind: KindDeclaration): Json {
  const root = kind.group ? `/apis/${apiVersionOf(kind)}` : `/api/${kind.version}`;
  const collection = `${root}${kind.namespaced ? '/namespaces/{namespace}' : ''}/${kind.plural}`;
  const place = kind.namespaced ? [parameter('namespace', 'string', 'path')] : [];
  const can = (verb: string) => kind.verbs.includes(verb);
  const list = listSchema(kind);
  const listing = operation({ action: 'list', kind, parameters: listParameters, result: list });
  const read = operation({ action: 'get', kind, result: kind.schema });
  const writes = {
    put: operation({
      action: 'put',
      kind,
      parameters: writeParameters,
      body: kind.schema,
      result: kind.schema,
      codes: [200, 201],
    }),
    patch: operation({
      action: 'patch',
      kind,
      parameters: patchParameters,
      body: patch,
      bodyTypes: patchTypes,
      result: kind.schema,
      codes: [200, 201],
    }),
  };
  const paths: Json = {
    [collection]: {
      ...(place.length && { parameters: place }),
      ...(can('list') && { get: listing }),
      ...(can('create') && {
        post: operation({
          action: 'post',
          kind,
          parameters: writeParameters,
          body: kind.schema,
          result: kind.schema,
          codes: [200, 201, 202],
        }),
      }),
      ...(can('deletecollection') && {
        delete: operation({
          action: 'deletecollection',
          kind,
          parameters: [...deleteParameters, ...listParameters],
          body: deleteOptions,
          result: status,
        }),
      }),
    },
  };
  if (!can('get')) return paths;
  Object.assign(paths, {
    [`${collection}/{name}`]: {
      parameters: [parameter('name', 'string', 'path'), ...place],
      get: read,
      ...(can('update') && { put: writes.put }),
      ...(can('patch') && { patch: writes.patch }),
      ...(can('delete') && {
        delete: operation({
          action: 'delete',
          kind,
          parameters: deleteParameters,
          body: deleteOptions,
          result: status,
          codes: [200, 202],
        }),
      }),
    },
  });
  if (kind.namespaced) paths[`${root}/${kind.plural}`] = { get: listing };
  if (kind.status) paths[`${collection}/{name}/status`] = { get: read, ...writes };
  if (kind.scale) {
    const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };
    paths[`${collection}/{name}/scale`] = {
      get: operation({ action: 'get', kind: scaleKind, result: scale }),
      put: operation({ action: 'put', kind: scaleKind, body: scale, result: scale }),
      patch: operation({
        action: 'patch',
        kind: scaleKind,
        parameters: patchParameters,
        body: patch,
        bodyTypes: patchTypes,
        result: scale,
      }),
    };
  }
  return paths;
}

/** Names of the definitions that a schema refers to. */
function referencesIn(value: unknown, found: Set<string>): void {
  if (Array.isArray(value)) for (const item of value) referencesIn(item, found);
  else if (typeof value === 'object' && value !== null)
    for (const [name, member] of Object.entries(value)) {
      if (name === '$ref' && typeof member === 'string' && member.startsWith(reference))
        found.add(member.slice(reference.length));
      else referencesIn(member, found);
    }
}

/** The definitions that `roots` need, directly or not, sorted by name. */
function closure(roots: Iterable<string>, definitions: Readonly<Record<string, Schema>>): Json {
  const seen = new Set<string>();
  const queue = [...roots];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name) || !definitions[name]) continue;
    seen.add(name);
    const found = new Set<string>();
    referencesIn(definitions[name], found);
    queue.push(...found);
  }
  return Object.fromEntries([...seen].sort().map((name) => [name, described(name, definitions[name]!)]));
}

const info = { title: 'Kubernetes', version: 'v1.34.0' };

/**
 * The OpenAPI v3 document of one group and version.
 * https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3
 */
export function documentV3(
  kinds: readonly KindDeclaration[],
  definitions: Readonly<Record<string, Schema>>,
): object {
  const paths = Object.assign({}, ...kinds.map(pathsOf)) as Json;
  const roots = new Set<string>();
  referencesIn(paths, roots);
  return { openapi: '3.0.0', info, paths, components: { schemas: closure(roots, definitions) } };
}

/** The OpenAPI v2 document of everything, for clients that know no other. */
export function documentV2(
  kinds: readonly KindDeclaration[],
  definitions: Readonly<Record<string, Schema>>,
): string {
  const roots = kinds.flatMap((kind) =>
    kind.verbs.includes('list') ? [kind.schema, listSchema(kind)] : [kind.schema],
  );
  const text = JSON.stringify({
    swagger: '2.0',
    info,
    paths: {},
    definitions: closure([...roots, deleteOptions, status], definitions),
  });
  return text.replaceAll(reference, '#/definitions/');
}
