/**
 * Brings `api/openapi/kubernetes.json` (the structure of the Kubernetes API without descriptions) to the API level of
 * the installed @kubernetes/client-node: adds fields and types that its models have beyond the file, drops those that
 * are gone. Idempotent. Run: `node api/generate/openapi.ts`, then `node api/generate/types.ts`. The output is committed.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

interface Schema {
  $ref?: string;
  type?: string;
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema;
  [extension: `x-${string}`]: unknown;
}

interface Attribute {
  baseName: string;
  type: string;
  format: string;
}

const file = new URL('../openapi/kubernetes.json', import.meta.url);
const document = JSON.parse(readFileSync(file, 'utf8')) as {
  source: string;
  schemas: Record<string, Schema>;
};
const { schemas } = document;
const client = createRequire(import.meta.url).resolve('@kubernetes/client-node');
const models = new URL('./gen/models/', `file://${client}`);

const core = 'io.k8s.api.core.v1';
const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const reference = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** Types that exist only beyond the file's first level and that nothing refers to. */
const roots: Readonly<Record<string, string>> = {
  V1SelfSubjectReview: 'io.k8s.api.authentication.v1.SelfSubjectReview',
};

/** Merge keys and list types of the newer lists of served kinds; every other newer list is replaced as a whole. */
const listKeys: Readonly<Record<string, readonly string[]>> = {
  [`${core}.ResourceStatus.resources`]: ['resourceID'],
  [`${core}.ContainerStatus.allocatedResourcesStatus`]: ['name'],
  [`${core}.ContainerStatus.volumeMounts`]: ['mountPath'],
  [`${core}.PodStatus.resourceClaimStatuses`]: ['name'],
  [`${core}.NodeStatus.runtimeHandlers`]: [],
};

/** Names that client-node disambiguates by a prefix. */
const prefixes: Readonly<Record<string, string>> = {
  [`${core}.EndpointPort`]: 'CoreV1EndpointPort',
  [`${core}.Event`]: 'CoreV1Event',
  [`${core}.EventSeries`]: 'CoreV1EventSeries',
  [`${core}.ResourceClaim`]: 'CoreV1ResourceClaim',
  'io.k8s.api.discovery.v1.EndpointPort': 'DiscoveryV1EndpointPort',
  'io.k8s.api.events.v1.Event': 'EventsV1Event',
  'io.k8s.api.events.v1.EventSeries': 'EventsV1EventSeries',
  'io.k8s.api.rbac.v1.Subject': 'RbacV1Subject',
  'io.k8s.api.authentication.v1.TokenRequest': 'AuthenticationV1TokenRequest',
  'io.k8s.api.storage.v1.TokenRequest': 'StorageV1TokenRequest',
};
const unprefixed = new Map(Object.entries(prefixes).map(([schema, model]) => [model, schema]));

const shortOf = (name: string): string => name.split('.').at(-1)!;
const modelOf = (name: string): string | undefined => {
  const version = name.split('.').at(-2)!;
  const model = prefixes[name] ?? `${version[0]!.toUpperCase()}${version.slice(1)}${shortOf(name)}`;
  return existsSync(new URL(`${model}.js`, models)) ? model : undefined;
};

function attributesOf(model: string): Attribute[] {
  const text = readFileSync(new URL(`${model}.js`, models), 'utf8');
  const list = /attributeTypeMap = (\[[\s\S]*?\n\]);/.exec(text) ?? /attributeTypeMap = (\[\]);/.exec(text);
  if (!list) throw new Error(`${model}: no attributeTypeMap`);
  return JSON.parse(list[1]!) as Attribute[];
}

function requiredOf(model: string): string[] {
  const text = readFileSync(new URL(`${model}.d.ts`, models), 'utf8');
  return [...text.matchAll(/^ {4}'([^']+)': /gm)].map((match) => match[1]!);
}

/** The schema that a model's type name means, made if it is new. New types stay in the group of their user. */
function resolveModel(model: string, group: string): string {
  const fixed = unprefixed.get(model);
  if (fixed) return fixed;
  const short = model.replace(/^[A-Z][a-z]*?V\d+[a-z0-9]*(?=[A-Z])|^V\d+(?:(?:alpha|beta)\d+)?/, '');
  for (const candidate of [group, meta, core])
    if (schemas[`${candidate}.${short}`]) return `${candidate}.${short}`;
  const others = Object.keys(schemas).filter((name) => shortOf(name) === short && /\.v\d+\./.test(name));
  if (others.length === 1) return others[0]!;
  const name = `${group}.${short}`;
  addFrom(name, model);
  return name;
}

function schemaOf(type: string, format: string, group: string): Schema {
  const list = /^Array<(.*)>$/.exec(type);
  if (list) return { items: schemaOf(list[1]!, format, group), type: 'array' };
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type);
  if (map) return { additionalProperties: schemaOf(map[1]!, format, group), type: 'object' };
  switch (type) {
    case 'string':
      return format ? { format, type: 'string' } : { type: 'string' };
    case 'boolean':
      return { type: 'boolean' };
    case 'number':
      return format === 'double' ? { format, type: 'number' } : { format, type: 'integer' };
    case 'Date':
      return reference(`${meta}.Time`);
    case 'V1MicroTime':
      return reference(`${meta}.MicroTime`);
    case 'IntOrString':
      return reference('io.k8s.apimachinery.pkg.util.intstr.IntOrString');
    case 'any':
    case 'object':
      return { type: 'object' };
    default:
      return reference(resolveModel(type, group));
  }
}

/** Fields that hold amounts; client-node types them as plain strings. */
const quantityMaps = new Set([
  'limits',
  'requests',
  'capacity',
  'allocatable',
  'allocatedResources',
  'overhead',
]);

function addFrom(name: string, model: string): void {
  const schema: Schema = schemas[name] ?? { properties: {}, type: 'object' };
  schemas[name] = schema;
  if (name.startsWith('io.k8s.apiextensions')) return;
  const group = name.split('.').slice(0, -1).join('.');
  const attributes = attributesOf(model);
  if (!attributes.length) return;
  const before = schema.properties ?? {};
  const properties: Record<string, Schema> = {};
  for (const { baseName, type, format } of attributes) {
    const known = before[baseName];
    if (known) {
      properties[baseName] = known;
      continue;
    }
    const added = schemaOf(type, format, group);
    if (quantityMaps.has(baseName) && added.additionalProperties)
      added.additionalProperties = reference('io.k8s.apimachinery.pkg.api.resource.Quantity');
    if (added.type === 'array') {
      const keys = listKeys[`${name}.${baseName}`];
      added['x-kubernetes-list-type'] = keys?.length ? 'map' : 'atomic';
      if (keys?.length) {
        added['x-kubernetes-list-map-keys'] = keys;
        added['x-kubernetes-patch-merge-key'] = keys[0];
        added['x-kubernetes-patch-strategy'] = 'merge';
      }
    }
    properties[baseName] = added;
  }
  schema.properties = Object.fromEntries(Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1)));
  const required = requiredOf(model).filter((key) => properties[key]);
  if (required.length) schema.required = required.sort();
  else delete schema.required;
}

for (const name of Object.keys(schemas)) if (/\.v\d+(?:alpha|beta)\d+\./.test(name)) delete schemas[name];
for (const name of Object.keys(schemas)) {
  const model = schemas[name]!.properties && modelOf(name);
  if (model) addFrom(name, model);
}
for (const [model, name] of Object.entries(roots)) addFrom(name, model);

// Every version of every group has its own copy of these in the list; nobody asks for them.
for (const schema of Object.values(schemas)) {
  const kinds = schema['x-kubernetes-group-version-kind'];
  if (Array.isArray(kinds) && kinds.length > 3) delete schema['x-kubernetes-group-version-kind'];
}

// Kubernetes' own schemas name these lists' keys only for server-side apply.
const mapLists: Readonly<Record<string, readonly string[]>> = {
  [`${meta}.ObjectMeta.ownerReferences`]: ['uid'],
};
for (const [path, keys] of Object.entries(mapLists)) {
  const property = schemas[path.slice(0, path.lastIndexOf('.'))]?.properties?.[shortOf(path)];
  if (property)
    Object.assign(property, { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys });
}

const [, level] = /release-(\S+)/.exec(readFileSync(new URL('V1PodSpec.js', models), 'utf8')) ?? [];
document.source = `Kubernetes OpenAPI (Apache-2.0), API level ${level}, descriptions removed`;
const sorted = Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify({ source: document.source, schemas: sorted })}\n`);
