import { describedGroups, isPointerField, namedGoType } from './go-types.ts';
import type { ObjectNode, Property, ScalarNode, ScalarType, SchemaNode } from './node.ts';

/** An OpenAPI v3 schema, as far as it is read. */
export interface OpenAPISchema {
  $ref?: string;
  allOf?: readonly OpenAPISchema[];
  type?: string;
  format?: string;
  properties?: Record<string, OpenAPISchema>;
  required?: readonly string[];
  items?: OpenAPISchema;
  additionalProperties?: OpenAPISchema | boolean;
  'x-kubernetes-patch-strategy'?: string;
  'x-kubernetes-patch-merge-key'?: string;
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: readonly string[];
  'x-kubernetes-map-type'?: string;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-embedded-resource'?: boolean;
  'x-kubernetes-int-or-string'?: boolean;
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const scalars: Readonly<Record<string, ScalarNode>> = {
  [`${meta}Time`]: { type: 'time', goType: 'v1.Time' },
  [`${meta}MicroTime`]: { type: 'microTime', goType: 'v1.MicroTime' },
  [`${meta}FieldsV1`]: { type: 'any', goType: 'v1.FieldsV1' },
  [`${meta}Patch`]: { type: 'any', goType: 'v1.Patch' },
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { type: 'quantity', goType: 'resource.Quantity' },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { type: 'intOrString', goType: 'intstr.IntOrString' },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': { type: 'any', goType: 'runtime.RawExtension' },
};

const shortOf = (name: string): string => name.slice(name.lastIndexOf('.') + 1);
const groupOf = (name: string): string => name.slice(0, name.lastIndexOf('.'));
const goTypeOf = (name: string): string => name.split('.').slice(-2).join('.');

const zeros: Readonly<Record<string, string | number | boolean | readonly []>> = {
  string: '',
  boolean: false,
  integer: 0,
  intOrString: 0,
  list: [],
};
const zeroable = new Set<string>(['string', 'boolean', 'integer', 'number']);

/**
 * Compiles OpenAPI definitions into nodes, each once and on first use. Definitions may refer to each other in cycles.
 */
export class SchemaCompiler {
  readonly #definitions: Readonly<Record<string, OpenAPISchema>>;
  readonly #compiled = new Map<string, SchemaNode>();

  constructor(definitions: Readonly<Record<string, OpenAPISchema>>) {
    this.#definitions = definitions;
  }

  /** The node of a definition by its name. @throws {Error} if there is none */
  node(name: string): SchemaNode {
    const known = this.#compiled.get(name) ?? scalars[name];
    if (known) return known;
    const definition = this.#definitions[name];
    if (!definition) throw new Error(`no schema ${name}`);
    if (!definition.properties) {
      const scalar = this.compile(definition, '', '');
      const named = { ...scalar, goType: goTypeOf(name) } as SchemaNode;
      this.#compiled.set(name, named);
      return named;
    }
    const node: ObjectNode = {
      type: 'object',
      name,
      goType: goTypeOf(name),
      properties: new Map(),
      zeros: [],
      preserveUnknown: definition['x-kubernetes-preserve-unknown-fields'] ?? false,
    };
    // Known before its properties are, so that a cycle ends here.
    this.#compiled.set(name, node);
    this.#fill(node, definition);
    return node;
  }

  /** The node of a definition that describes an object. @throws {Error} if it describes something else */
  object(name: string): ObjectNode {
    const node = this.node(name);
    if (node.type !== 'object') throw new Error(`schema ${name} is not an object`);
    return node;
  }

  #fill(node: ObjectNode, definition: OpenAPISchema): void {
    const required = new Set(definition.required ?? []);
    const type = shortOf(node.name);
    const described = describedGroups.has(groupOf(node.name));
    for (const [name, schema] of Object.entries(definition.properties ?? {})) {
      const property = this.#property(name, schema, type, required.has(name), described);
      node.properties.set(name, property);
      const zero = zeros[property.node.type];
      if (described && property.required && zero !== undefined) node.zeros.push([name, zero]);
    }
  }

  #property(
    name: string,
    schema: OpenAPISchema,
    type: string,
    required: boolean,
    described: boolean,
  ): Property {
    const node = this.compile(schema, type, name);
    const strategies = schema['x-kubernetes-patch-strategy']?.split(',') ?? [];
    const mergeKey = schema['x-kubernetes-patch-merge-key'];
    const mapKeys = schema['x-kubernetes-list-map-keys'] ?? (mergeKey ? [mergeKey] : []);
    const declared = schema['x-kubernetes-list-type'];
    const merges = strategies.includes('merge');
    const listType =
      declared === 'set' || declared === 'map' || declared === 'atomic'
        ? declared
        : merges
          ? mergeKey
            ? 'map'
            : 'set'
          : 'atomic';
    const collection = node.type === 'list' || node.type === 'map';
    const omitZero =
      described &&
      !required &&
      (collection || (zeroable.has(node.type) && !isPointerField(type, name)) || node.type === 'bytes');
    return {
      name,
      node,
      required,
      omitZero,
      patchMerge: merges,
      patchRetainKeys: strategies.includes('retainKeys'),
      patchMergeKey: mergeKey,
      listType,
      listMapKeys: mapKeys,
      atomic: this.#isAtomic(schema),
    };
  }

  #isAtomic(schema: OpenAPISchema): boolean {
    if (schema['x-kubernetes-map-type'] === 'atomic') return true;
    const name = (schema.$ref ?? schema.allOf?.[0]?.$ref)?.split('/').at(-1);
    return name !== undefined && this.#definitions[name]?.['x-kubernetes-map-type'] === 'atomic';
  }

  /** The node of an inline schema. `type` and `field` name where it stands, for messages. */
  compile(schema: OpenAPISchema, type: string, field: string): SchemaNode {
    const reference = schema.$ref ?? schema.allOf?.[0]?.$ref;
    if (reference) return this.node(reference.slice(reference.lastIndexOf('/') + 1));
    if (schema['x-kubernetes-int-or-string']) return { type: 'intOrString', goType: 'intstr.IntOrString' };
    const named = namedGoType(type, field);
    const scalar = (kind: ScalarType, goType: string): ScalarNode => ({
      type: kind,
      goType: named ?? goType,
    });
    switch (schema.type) {
      case 'array': {
        const items = schema.items ? this.compile(schema.items, '', '') : scalar('any', 'interface {}');
        return { type: 'list', goType: named ?? `[]${items.goType}`, items };
      }
      case 'object': {
        if (schema.properties) {
          const node: ObjectNode = {
            type: 'object',
            name: `${type}.${field}`,
            goType: field,
            properties: new Map(),
            zeros: [],
            preserveUnknown: schema['x-kubernetes-preserve-unknown-fields'] ?? false,
          };
          this.#fill(node, schema);
          return node;
        }
        const values = schema.additionalProperties;
        if (!values) return scalar('any', 'map[string]interface {}');
        const node = values === true ? scalar('any', 'interface {}') : this.compile(values, '', '');
        return { type: 'map', goType: named ?? `map[string]${node.goType}`, values: node };
      }
      case 'boolean':
        return scalar('boolean', 'bool');
      case 'integer':
        return scalar('integer', schema.format ?? 'int64');
      case 'number':
        return scalar('number', 'float64');
      case 'string':
        if (schema.format === 'byte') return scalar('bytes', '[]uint8');
        return scalar('string', 'string');
      default:
        return scalar('any', 'interface {}');
    }
  }
}
