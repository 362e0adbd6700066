import type { Property, SchemaNode } from '../schema/node.ts';
import { FieldSet } from './field-set.ts';

/** A value that does not fit its schema as server-side apply needs it. */
export class ApplyTypeError extends Error {
  override name = 'ApplyTypeError';
}

type JSONObject = Record<string, unknown>;

/** How a value is merged: by fields, by items, or as a whole. */
export interface TypeRef {
  node: SchemaNode;
  listType: Property['listType'];
  listMapKeys: readonly string[];
  atomic: boolean;
}

/** A type that stands alone, not in a field: lists in it are replaced as a whole. */
export const typeOf = (node: SchemaNode): TypeRef => ({
  node,
  listType: 'atomic',
  listMapKeys: [],
  atomic: false,
});

const isObject = (value: unknown): value is JSONObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether the fields of a value are managed one by one. */
const isGranular = ({ node, atomic }: TypeRef, value: unknown): value is JSONObject =>
  !atomic && (node.type === 'object' || node.type === 'map') && isObject(value);

const isKeyedList = ({ node, listType }: TypeRef, value: unknown): value is unknown[] =>
  node.type === 'list' && listType !== 'atomic' && Array.isArray(value);

function fieldType({ node }: TypeRef, name: string): TypeRef | undefined {
  if (node.type === 'map') return typeOf(node.values);
  return node.type === 'object' ? node.properties.get(name) : undefined;
}

const itemType = ({ node }: TypeRef): TypeRef => typeOf(node.type === 'list' ? node.items : node);

/** Keys that stand for something when they are absent. */
const keyDefaults: Readonly<Record<string, string>> = { protocol: 'TCP' };

/** The step that names an item of a list. @throws {ApplyTypeError} if it lacks a key */
export function itemStep(type: TypeRef, item: unknown, index: number, where: string): string {
  if (type.listType === 'set') return `v:${JSON.stringify(item)}`;
  const keys: JSONObject = {};
  for (const name of [...type.listMapKeys].sort()) {
    const value = (isObject(item) ? item[name] : undefined) ?? keyDefaults[name];
    if (value === undefined)
      throw new ApplyTypeError(
        `${where}: element ${index}: associative list with keys has an element that omits key field ${JSON.stringify(name)} (and doesn't have default value)`,
      );
    keys[name] = value;
  }
  return `k:${JSON.stringify(keys)}`;
}

/** Items by their step. @throws {ApplyTypeError} for two of the same step in `strict` */
function itemsOf(
  type: TypeRef,
  list: readonly unknown[],
  where: string,
  strict: boolean,
): Map<string, unknown> {
  const items = new Map<string, unknown>();
  for (const [index, item] of list.entries()) {
    const step = itemStep(type, item, index, where);
    if (strict && items.has(step))
      throw new ApplyTypeError(
        `${where}: duplicate entries for key ${type.listType === 'set' ? `[=${step.slice(2)}]` : `[${keyText(step)}]`}`,
      );
    items.set(step, item);
  }
  return items;
}

const keyText = (step: string): string =>
  Object.entries(JSON.parse(step.slice(2)) as JSONObject)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',');

/**
 * The fields that a value sets.
 * @throws {ApplyTypeError} for list items without their keys or with the same
 */
export function fieldsOf(type: TypeRef, value: unknown, where = ''): FieldSet {
  if (isGranular(type, value)) {
    const names = Object.keys(value);
    if (!names.length) return FieldSet.leaf;
    return FieldSet.of(
      false,
      names.map((name) => [
        `f:${name}`,
        fieldsOf(fieldType(type, name) ?? anything, value[name], `${where}.${name}`),
      ]),
    );
  }
  if (isKeyedList(type, value))
    return FieldSet.of(
      false,
      [...itemsOf(type, value, where, true)].map(([step, item]) => [
        step,
        FieldSet.leaf.union(fieldsOf(itemType(type), item, where)),
      ]),
    );
  return FieldSet.leaf;
}

const anything: TypeRef = typeOf({ type: 'any', goType: 'interface {}' });

/** The live value with what is applied merged into it; neither is changed. */
export function mergeApplied(type: TypeRef, live: unknown, applied: unknown): unknown {
  if (applied === undefined) return live;
  if (isGranular(type, applied) && isObject(live)) {
    const result = { ...live };
    for (const name of Object.keys(applied))
      result[name] = mergeApplied(fieldType(type, name) ?? anything, live[name], applied[name]);
    return result;
  }
  if (isKeyedList(type, applied) && Array.isArray(live)) return mergeLists(type, live, applied);
  return applied;
}

/** Items that both have are merged; those of the live list only stay before the shared item that followed them. */
function mergeLists(type: TypeRef, live: readonly unknown[], applied: readonly unknown[]): unknown[] {
  const before = itemsOf(type, live, '', false);
  const after = [...itemsOf(type, applied, '', false)];
  const shared = new Set(after.map(([step]) => step));
  const result: unknown[] = [];
  let next = 0;
  const emitThrough = (step: string | undefined): void => {
    const end = step === undefined ? after.length : after.findIndex(([other]) => other === step) + 1;
    for (; next < end; next++) {
      const [name, item] = after[next]!;
      result.push(mergeApplied(itemType(type), before.get(name), item));
    }
  };
  for (const [step, item] of before) {
    if (shared.has(step)) emitThrough(step);
    else result.push(item);
  }
  emitThrough(undefined);
  return result;
}

/** What an object gained, lost and has otherwise than before. */
export interface Comparison {
  added: FieldSet;
  removed: FieldSet;
  modified: FieldSet;
}

const same: Comparison = { added: FieldSet.empty, removed: FieldSet.empty, modified: FieldSet.empty };

/** All fields of a value, with the maps and objects that came or went as a whole. */
function everything(type: TypeRef, value: unknown): FieldSet {
  if (isGranular(type, value))
    return FieldSet.of(
      true,
      Object.keys(value).map((name) => [
        `f:${name}`,
        everything(fieldType(type, name) ?? anything, value[name]),
      ]),
    );
  if (isKeyedList(type, value))
    return FieldSet.of(
      false,
      [...itemsOf(type, value, '', false)].map(([step, item]) => [
        step,
        FieldSet.leaf.union(everything(itemType(type), item)),
      ]),
    );
  return FieldSet.leaf;
}

function combine(parts: readonly (readonly [string, Comparison])[]): Comparison {
  const changed = parts.filter(([, part]) => part !== same);
  if (!changed.length) return same;
  const pick = (name: keyof Comparison): FieldSet =>
    FieldSet.of(
      false,
      changed.map(([step, part]) => [step, part[name]] as const),
    );
  return { added: pick('added'), removed: pick('removed'), modified: pick('modified') };
}

const equalJSON = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => equalJSON(item, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => equalJSON(a[name], b[name]));
};

/** Compares two states of a value. */
export function compare(type: TypeRef, before: unknown, after: unknown): Comparison {
  if (before === after) return same;
  if (before === undefined) return { ...same, added: everything(type, after) };
  if (after === undefined) return { ...same, removed: everything(type, before) };
  if (isGranular(type, before) && isGranular(type, after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    return combine(
      [...names].map((name) => [
        `f:${name}`,
        compare(fieldType(type, name) ?? anything, before[name], after[name]),
      ]),
    );
  }
  if (isKeyedList(type, before) && isKeyedList(type, after)) {
    const old = itemsOf(type, before, '', false);
    const now = itemsOf(type, after, '', false);
    return combine(
      [...new Set([...old.keys(), ...now.keys()])].map((step) => {
        const part = compare(itemType(type), old.get(step), now.get(step));
        // An item that came or went does so itself too.
        if (!old.has(step)) return [step, { ...part, added: FieldSet.leaf.union(part.added) }];
        if (!now.has(step)) return [step, { ...part, removed: FieldSet.leaf.union(part.removed) }];
        return [step, part];
      }),
    );
  }
  return equalJSON(before, after) ? same : { ...same, modified: FieldSet.leaf };
}

/** The value without the paths of the set; with an item of a list goes everything in it. */
export function removeFields(type: TypeRef, value: unknown, fields: FieldSet): unknown {
  if (isGranular(type, value)) {
    const result = { ...value };
    for (const [step, child] of fields.children) {
      const name = step.slice(2);
      if (!step.startsWith('f:') || result[name] === undefined) continue;
      if (child.member) delete result[name];
      else result[name] = removeFields(fieldType(type, name) ?? anything, result[name], child);
    }
    return result;
  }
  if (!isKeyedList(type, value)) return value;
  const result: unknown[] = [];
  for (const [step, item] of itemsOf(type, value, '', false)) {
    const child = fields.at(step);
    if (!child) result.push(item);
    else if (!child.member) result.push(removeFields(itemType(type), item, child));
  }
  return result;
}
