import { canonicalQuantity, QuantityError } from '../quantity.ts';
import { DecodeError } from './decode-error.ts';
import type { ListNode, MapNode, ObjectNode, Property, ScalarNode, SchemaNode } from './node.ts';
import { canonicalMicroTime, canonicalTime } from './time.ts';

/** What a walk found besides the value. */
export interface WalkResult {
  value: unknown;
  /** Paths of fields that the schema does not know, in document order; they are taken out of the value. */
  unknown: string[];
  /** Number of fields and map entries seen, to compare with the text for duplicates. */
  keys: number;
}

/** Marks a map's key in the path: it belongs to the path of an unknown field, but not to that of a wrong type. */
const keyMark = '\0';

// int64 needs none: what a double holds exactly is within it.
const ranges: Readonly<Record<string, readonly [number, number]>> = { int32: [-2147483648, 2147483647] };

/** What encoding/json calls the kind of a JSON value. */
function jsonKind(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value;
}

function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let keys = 0;
  if (Array.isArray(value)) for (const item of value) keys += countKeys(item);
  else for (const key in value) keys += 1 + countKeys((value as Record<string, unknown>)[key]);
  return keys;
}

const isZero = (value: unknown): boolean => {
  if (value === '' || value === false || value === 0) return true;
  if (typeof value !== 'object') return false;
  if (Array.isArray(value)) return value.length === 0;
  for (const _key in value) return false;
  return true;
};

const illegalBase64 = /[^A-Za-z0-9+/=\r\n]/;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

class Walk {
  readonly unknown: string[] = [];
  keys = 0;
  readonly #path: (string | number)[] = [];
  #struct = '';
  readonly #fill: boolean;

  constructor(fill: boolean) {
    this.#fill = fill;
  }

  value(node: SchemaNode, value: unknown): unknown {
    switch (node.type) {
      case 'object':
        return this.#object(node, value);
      case 'list':
        return this.#list(node, value);
      case 'map':
        return this.#map(node, value);
      default:
        return this.#scalar(node, value);
    }
  }

  #wrongType(got: string, goType: string): DecodeError {
    const fields = this.#path.filter((part) => typeof part === 'string' && !part.startsWith(keyMark));
    const into = fields.length
      ? `struct field ${this.#struct}.${fields.join('.')} of type ${goType}`
      : `value of type ${goType}`;
    return new DecodeError(`json: cannot unmarshal ${got} into Go ${into}`);
  }

  #pathTo(field: string): string {
    let text = '';
    for (const part of [...this.#path, field]) {
      if (typeof part === 'number') text += `[${part}]`;
      else {
        const name = part.startsWith(keyMark) ? part.slice(1) : part;
        text += text ? `.${name}` : name;
      }
    }
    return text;
  }

  #object(node: ObjectNode, value: unknown): unknown {
    if (typeof value !== 'object' || Array.isArray(value))
      throw this.#wrongType(jsonKind(value), node.goType);
    const object = value as Record<string, unknown>;
    const outer = this.#struct;
    this.#struct = node.goType.slice(node.goType.lastIndexOf('.') + 1);
    for (const key in object) {
      this.keys++;
      const property = node.properties.get(key);
      const item = object[key];
      if (!property) this.#unknownField(node, object, key, item);
      else if (item === null || item === undefined) delete object[key];
      else this.#field(object, property, item);
    }
    this.#struct = outer;
    if (this.#fill)
      for (const [name, zero] of node.zeros)
        if (object[name] === undefined) object[name] = Array.isArray(zero) ? [] : zero;
    return object;
  }

  #field(object: Record<string, unknown>, property: Property, item: unknown): void {
    const { name, node } = property;
    this.#path.push(name);
    const result = this.value(node, item);
    this.#path.pop();
    if (property.omitZero && isZero(result)) delete object[name];
    else if (result !== item) object[name] = result;
  }

  #unknownField(node: ObjectNode, object: Record<string, unknown>, key: string, item: unknown): void {
    this.keys += countKeys(item);
    if (node.preserveUnknown) return;
    // As many as Kubernetes reports at most.
    if (this.unknown.length < 100) this.unknown.push(this.#pathTo(key));
    delete object[key];
  }

  #list(node: ListNode, value: unknown): unknown {
    if (!Array.isArray(value)) throw this.#wrongType(jsonKind(value), node.goType);
    const path = this.#path;
    path.push(0);
    for (let i = 0; i < value.length; i++) {
      path[path.length - 1] = i;
      const item: unknown = value[i];
      const result = this.value(node.items, item ?? zeroOf(node.items));
      if (result !== item) value[i] = result;
    }
    path.pop();
    return value;
  }

  #map(node: MapNode, value: unknown): unknown {
    if (typeof value !== 'object' || Array.isArray(value))
      throw this.#wrongType(jsonKind(value), node.goType);
    const map = value as Record<string, unknown>;
    const path = this.#path;
    path.push('');
    for (const key in map) {
      this.keys++;
      const item = map[key];
      // The commonest maps by far are labels and annotations.
      if (node.values.type === 'string' && typeof item === 'string') continue;
      path[path.length - 1] = keyMark + key;
      const result = this.value(node.values, item ?? zeroOf(node.values));
      if (result !== item) map[key] = result;
    }
    path.pop();
    return map;
  }

  #scalar(node: ScalarNode, value: unknown): unknown {
    switch (node.type) {
      case 'string':
        if (typeof value === 'string') return value;
        throw this.#wrongType(jsonKind(value), node.goType);
      case 'boolean':
        if (typeof value === 'boolean') return value;
        throw this.#wrongType(jsonKind(value), node.goType);
      case 'integer':
        return this.#integer(node, value);
      case 'number':
        if (typeof value === 'number') return value;
        throw this.#wrongType(jsonKind(value), node.goType);
      case 'bytes':
        return this.#bytes(node, value);
      case 'quantity':
        return quantity(value);
      case 'intOrString':
        if (typeof value === 'string') return value;
        if (typeof value !== 'number')
          throw new DecodeError(`json: cannot unmarshal ${jsonKind(value)} into Go value of type int32`);
        return checkInteger(value, 'int32', () => `value of type int32`);
      case 'time':
      case 'microTime':
        if (typeof value !== 'string')
          throw new DecodeError(`json: cannot unmarshal ${jsonKind(value)} into Go value of type string`);
        return node.type === 'time' ? canonicalTime(value) : canonicalMicroTime(value);
      case 'any':
        this.keys += countKeys(value);
        return value;
    }
  }

  #integer(node: ScalarNode, value: unknown): number {
    if (typeof value !== 'number') throw this.#wrongType(jsonKind(value), node.goType);
    const range = ranges[node.goType];
    if (!Number.isInteger(value) || (range && (value < range[0] || value > range[1])))
      throw this.#wrongType(`number ${value}`, node.goType);
    return value;
  }

  #bytes(node: ScalarNode, value: unknown): string {
    if (typeof value !== 'string') throw this.#wrongType(jsonKind(value), node.goType);
    if (base64.test(value)) return value;
    const clean = value.replaceAll(/[\r\n]/g, '');
    if (base64.test(clean)) return clean;
    const bad = illegalBase64.exec(value);
    throw new DecodeError(
      `illegal base64 data at input byte ${bad ? bad.index : value.length - (value.length % 4)}`,
    );
  }
}

function checkInteger(value: number, type: string, where: () => string): number {
  const range = ranges[type]!;
  if (!Number.isInteger(value) || value < range[0] || value > range[1])
    throw new DecodeError(`json: cannot unmarshal number ${value} into Go ${where()}`);
  return value;
}

function quantity(value: unknown): string {
  try {
    return canonicalQuantity(typeof value === 'string' || typeof value === 'number' ? value : 'x');
  } catch (error) {
    if (error instanceof QuantityError) throw new DecodeError(error.message);
    throw error;
  }
}

/** What Go makes of a null where a value is held directly. */
function zeroOf(node: SchemaNode): unknown {
  switch (node.type) {
    case 'object':
    case 'map':
      return {};
    case 'list':
      return [];
    case 'boolean':
      return false;
    case 'integer':
    case 'number':
    case 'intOrString':
      return 0;
    case 'quantity':
      return '0';
    default:
      return '';
  }
}

/**
 * Checks a JSON value against a schema and brings it, in place, into the form in which Kubernetes would write it back:
 * unknown fields and nulls dropped, empty optional fields dropped, absent required scalars zero (unless `fillRequired`
 * is false, for an object that is only a part), quantities and times canonical.
 * @throws {DecodeError} at the first value of a wrong type
 */
export function walkSchema(
  node: SchemaNode,
  value: unknown,
  { fillRequired = true }: { fillRequired?: boolean } = {},
): WalkResult {
  const walk = new Walk(fillRequired);
  const result = walk.value(node, value);
  return { value: result, unknown: walk.unknown, keys: walk.keys };
}
