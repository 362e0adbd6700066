import type { ObjectNode, Property, SchemaNode } from '../schema/node.ts';
import { goText, isObject, type JSONObject, PatchError, setOwn } from './patch-error.ts';

/**
 * Strategic merge patch: a merge patch that knows, from the schema, which lists are merged by a key.
 * https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
 */

const patchDirective = '$patch';
const retainKeysDirective = '$retainKeys';
const deletePrefix = '$deleteFromPrimitiveList/';
const orderPrefix = '$setElementOrder/';

const bad = {
  primitiveList: 'invalid patch format of primitive list',
  retainKeys: 'invalid patch format of retainKeys',
  order: 'invalid patch format of setElementOrder list',
};

const noMergeKey = (item: JSONObject, key: string): PatchError =>
  new PatchError(400, `map: ${goText(item)} does not contain declared merge key: ${key}`);

function fieldOf(
  node: SchemaNode | undefined,
  name: string,
): Pick<Property, 'node' | 'patchMerge' | 'patchMergeKey'> | undefined {
  if (node?.type === 'object') return node.properties.get(name);
  if (node?.type === 'map') return { node: node.values, patchMerge: false, patchMergeKey: undefined };
  return undefined;
}

/** A copy of a patch value that found nothing to merge with: directives and nulls mean nothing there. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value))
    return value
      .filter((item) => !(isObject(item) && patchDirective in item && item[patchDirective] !== 'merge'))
      .map(withoutDirectives);
  if (!isObject(value)) return value;
  const result: JSONObject = {};
  for (const [key, item] of Object.entries(value))
    if (item !== null && key !== patchDirective && key !== retainKeysDirective && !isDirectiveList(key))
      setOwn(result, key, withoutDirectives(item));
  return result;
}

const isDirectiveList = (key: string): boolean => key.startsWith(deletePrefix) || key.startsWith(orderPrefix);

function retainKeys(original: JSONObject, patch: JSONObject): void {
  const keys = patch[retainKeysDirective];
  if (keys === undefined) return;
  if (!Array.isArray(keys)) throw new PatchError(400, bad.retainKeys);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || key === retainKeysDirective || isDirectiveList(key)) continue;
    if (!keys.includes(key)) throw new PatchError(400, bad.retainKeys);
  }
  for (const key of Object.keys(original)) if (!keys.includes(key)) delete original[key];
}

function mergeObjects(current: JSONObject, patch: JSONObject, node: SchemaNode | undefined): JSONObject {
  if (patchDirective in patch) {
    const directive = patch[patchDirective];
    if (directive === 'delete') return {};
    if (directive === 'replace')
      return withoutDirectives({ ...patch, [patchDirective]: undefined }) as JSONObject;
    if (directive !== 'merge')
      throw new PatchError(400, `unknown patch type: ${goText(directive)} in map: ${goText(patch)}`);
  }
  const result = { ...current };
  retainKeys(result, patch);
  const ordered = new Set<string>();
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith(orderPrefix)) continue;
    const name = key.slice(orderPrefix.length);
    ordered.add(name);
    mergeOrdered(result, patch, name, order, node);
  }
  for (const [key, value] of Object.entries(patch)) {
    if (
      key === patchDirective ||
      key === retainKeysDirective ||
      key.startsWith(orderPrefix) ||
      ordered.has(key)
    )
      continue;
    if (key.startsWith(deletePrefix)) deletePrimitives(result, key.slice(deletePrefix.length), value);
    else mergeField(result, key, value, node);
  }
  return result;
}

function mergeField(result: JSONObject, key: string, value: unknown, node: SchemaNode | undefined): void {
  if (value === null) {
    delete result[key];
    return;
  }
  const current = Object.hasOwn(result, key) ? result[key] : undefined;
  const field = fieldOf(node, key);
  if (isObject(current) && isObject(value)) setOwn(result, key, mergeObjects(current, value, field?.node));
  else if (Array.isArray(current) && Array.isArray(value) && field?.patchMerge)
    result[key] = mergeLists(current, value, field);
  else setOwn(result, key, withoutDirectives(value));
}

function deletePrimitives(result: JSONObject, key: string, value: unknown): void {
  if (!Array.isArray(value)) throw new PatchError(400, bad.primitiveList);
  const current = result[key];
  if (Array.isArray(current)) result[key] = current.filter((item) => !value.includes(item));
}

const itemNode = (node: SchemaNode): SchemaNode | undefined =>
  node.type === 'list' ? node.items : undefined;

function keyed(item: unknown, key: string): JSONObject {
  if (!isObject(item))
    throw new PatchError(400, `expected a map[string]interface {}, but received a ${typeof item}`);
  if (item[key] === undefined) throw noMergeKey(item, key);
  return item;
}

type ListField = Pick<Property, 'node' | 'patchMergeKey'>;

/** Merges item by item; items that are only in the patch come at the end. */
function mergeItems(current: readonly unknown[], patch: readonly unknown[], field: ListField): unknown[] {
  const mergeKey = field.patchMergeKey;
  if (!patch.some(isObject) && !current.some(isObject)) return [...new Set([...current, ...patch])];
  if (!mergeKey) throw new PatchError(400, 'cannot merge lists without merge key for type struct');
  let result = [...current];
  const plain: JSONObject[] = [];
  let replace = false;
  for (const item of patch) {
    if (!isObject(item))
      throw new PatchError(400, `expected a map[string]interface {}, but received a ${typeof item}`);
    switch (item[patchDirective]) {
      case undefined:
        plain.push(item);
        break;
      case 'delete': {
        const value = keyed(item, mergeKey)[mergeKey];
        result = result.filter((other) => !isObject(other) || other[mergeKey] !== value);
        break;
      }
      case 'replace':
        replace = true;
        break;
      case 'merge':
        throw new PatchError(400, 'merging lists cannot yet be specified in the patch');
      default:
        throw new PatchError(
          422,
          `unknown patch type: ${goText(item[patchDirective])} in map: ${goText(item)}`,
        );
    }
  }
  if (replace) return plain.map(withoutDirectives);
  for (const item of plain) {
    const value = keyed(item, mergeKey)[mergeKey];
    const index = result.findIndex((other) => isObject(other) && other[mergeKey] === value);
    if (index < 0) result.push(withoutDirectives(item));
    else result[index] = mergeObjects(result[index] as JSONObject, item, itemNode(field.node));
  }
  return result;
}

const identityOf = (item: unknown, mergeKey: string | undefined): unknown =>
  mergeKey && isObject(item) ? item[mergeKey] : item;

/**
 * Puts a merged list in order: items that `order` names stand as it says; the others keep their place relative to
 * their neighbours in the live list, and come first where both would fit.
 */
function inOrder(
  merged: readonly unknown[],
  order: readonly unknown[],
  live: readonly unknown[],
  mergeKey: string | undefined,
): unknown[] {
  const id = (item: unknown): unknown => identityOf(item, mergeKey);
  const orderIndex = new Map(order.map((item, index) => [id(item), index]));
  const liveIndex = new Map(live.map((item, index) => [id(item), index]));
  const named = merged
    .filter((item) => orderIndex.has(id(item)))
    .sort((a, b) => orderIndex.get(id(a))! - orderIndex.get(id(b))!);
  const others = merged.filter((item) => !orderIndex.has(id(item)));
  const result: unknown[] = [];
  let i = 0;
  for (const item of named) {
    const place = liveIndex.get(id(item));
    // An item that is new has no place in the live list and waits for the server's items before it.
    while (i < others.length) {
      const other = liveIndex.get(id(others[i])) ?? Number.MAX_SAFE_INTEGER;
      if (place === undefined || other > place) break;
      result.push(others[i++]);
    }
    result.push(item);
  }
  return [...result, ...others.slice(i)];
}

function mergeLists(current: unknown[], patch: unknown[], field: ListField): unknown[] {
  const merged = mergeItems(current, patch, field);
  const named = patch.filter((item) => !(isObject(item) && patchDirective in item));
  return inOrder(merged, named, current, field.patchMergeKey);
}

function mergeOrdered(
  result: JSONObject,
  patch: JSONObject,
  name: string,
  order: unknown,
  node: SchemaNode | undefined,
): void {
  if (!Array.isArray(order)) throw new PatchError(400, bad.order);
  const field = fieldOf(node, name);
  const key = field?.patchMergeKey;
  const current = result[name];
  const change = patch[name];
  const removal = patch[`${deletePrefix}${name}`];
  if (change !== undefined && change !== null && !Array.isArray(change)) throw new PatchError(400, bad.order);
  if (current !== undefined && !Array.isArray(current))
    throw new PatchError(400, `expected a []interface {}, but received a ${typeof current}`);
  const items = (change ?? []) as unknown[];
  checkOrder(items, order, key);
  if (change === undefined && current === undefined) return;
  const live = current ?? [];
  let merged: unknown[];
  if (field?.patchMerge && current) merged = mergeItems(current, items, field);
  else merged = change === undefined ? live : (withoutDirectives(items) as unknown[]);
  if (Array.isArray(removal)) merged = merged.filter((item) => !removal.includes(item));
  if (key) for (const item of merged) keyed(item, key);
  result[name] = inOrder(merged, order, live, key);
}

/** The items of the patch must all be named by the order list, in the same relative order. */
function checkOrder(
  patch: readonly unknown[],
  order: readonly unknown[],
  mergeKey: string | undefined,
): void {
  if (!order.length || !patch.length) return;
  let index = 0;
  const items = patch.filter((item) => !(isObject(item) && patchDirective in item));
  for (const entry of order) {
    if (index >= items.length) break;
    if (mergeKey) {
      keyed(items[index], mergeKey);
      keyed(entry, mergeKey);
    }
    if (identityOf(items[index], mergeKey) === identityOf(entry, mergeKey)) index++;
  }
  if (index < items.length)
    throw new PatchError(
      400,
      `The order in patch list:\n${goText(patch)}\n doesn't match ${orderPrefix.slice(0, -1)} list:\n${goText(order)}\n`,
    );
}

/**
 * Applies a strategic merge patch to an object of this schema. Neither argument is changed.
 * @throws {PatchError} 400 for a malformed patch or directive, or one that does not fit the object
 */
export function applyStrategicMergePatch(
  document: JSONObject,
  patch: unknown,
  schema: ObjectNode,
): JSONObject {
  if (!isObject(patch)) {
    const kind = Array.isArray(patch) ? 'array' : typeof patch === 'boolean' ? 'bool' : typeof patch;
    throw new PatchError(400, `json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`);
  }
  return mergeObjects(document, patch, schema);
}
