import { quote } from '../field-error.ts';
import { isObject, type JSONObject, PatchError, setOwn } from './patch-error.ts';

/** More operations than this are refused, as Kubernetes does. */
const maxOperations = 10_000;

interface Operation {
  op?: unknown;
  path?: unknown;
  from?: unknown;
  value?: unknown;
}

const unapplicable = (message: string): PatchError => new PatchError(422, message);
const missing = (operation: string, path: string): PatchError =>
  unapplicable(`${operation} operation does not apply: doc is missing path: ${path}: missing value`);

const segmentsOf = (path: string): string[] =>
  path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]))
  );
}

/** The place in an array that a segment names; `-` is behind the end, where adding is allowed. */
function indexOf(list: readonly unknown[], segment: string, operation: string, path: string): number {
  if (segment === '-') return list.length;
  if (!/^-?\d+$/.test(segment))
    throw unapplicable(
      `${operation} operation does not apply: doc is missing key: ${path}: value was not a proper array index: '${segment}'`,
    );
  const index = Number(segment);
  return index < 0 ? index + list.length : index;
}

const outOfBounds = (operation: string, segment: string, path: string): PatchError =>
  unapplicable(
    `error in ${operation} for path: '${path}': Unable to access invalid index: ${segment}: invalid index referenced`,
  );

type Container = JSONObject | unknown[];

/** The object or list that holds what the path names. */
function containerOf(
  root: { document: unknown },
  path: string,
  operation: string,
): { holder: Container; last: string } {
  const segments = segmentsOf(path);
  const last = segments.pop();
  // The whole document cannot be named, as with the library behind Kubernetes.
  if (last === undefined || !path.startsWith('/')) throw missing(operation, quote(path));
  let current: unknown = root.document;
  for (const segment of segments) {
    if (Array.isArray(current)) {
      const index = indexOf(current, segment, operation, path);
      current = current[index];
    } else if (isObject(current) && Object.hasOwn(current, segment)) current = current[segment];
    else current = undefined;
    if (current === undefined || current === null || typeof current !== 'object')
      throw missing(operation, quote(path));
  }
  return { holder: current as Container, last };
}

function read(
  root: { document: unknown },
  path: string,
  operation: string,
): { found: boolean; value?: unknown } {
  const { holder, last } = containerOf(root, path, operation);
  if (Array.isArray(holder)) {
    const index = indexOf(holder, last, operation, path);
    if (index < 0 || index >= holder.length) throw outOfBounds(operation, last, path);
    return { found: true, value: holder[index] };
  }
  return Object.hasOwn(holder, last) ? { found: true, value: holder[last] } : { found: false };
}

function add(root: { document: unknown }, path: string, value: unknown, operation: string): void {
  const { holder, last } = containerOf(root, path, operation);
  if (!Array.isArray(holder)) {
    setOwn(holder, last, value);
    return;
  }
  const index = indexOf(holder, last, operation, path);
  if (index < 0 || index > holder.length) throw outOfBounds(operation, last, path);
  holder.splice(index, 0, value);
}

function remove(root: { document: unknown }, path: string, operation: string): void {
  const { holder, last } = containerOf(root, path, operation);
  if (Array.isArray(holder)) {
    const index = indexOf(holder, last, operation, path);
    if (index < 0 || index >= holder.length) throw outOfBounds(operation, last, path);
    holder.splice(index, 1);
    return;
  }
  if (!Object.hasOwn(holder, last))
    throw unapplicable(
      `error in ${operation} for path: '${path}': Unable to remove nonexistent key: ${last}: missing value`,
    );
  delete holder[last];
}

function replace(root: { document: unknown }, path: string, value: unknown): void {
  const { holder, last } = containerOf(root, path, 'replace');
  if (Array.isArray(holder)) {
    const index = indexOf(holder, last, 'replace', path);
    if (index < 0 || index >= holder.length) throw outOfBounds('replace', last, path);
    holder[index] = value;
    return;
  }
  if (!Object.hasOwn(holder, last))
    throw unapplicable(`replace operation does not apply: doc is missing key: ${path}: missing value`);
  setOwn(holder, last, value);
}

function test(root: { document: unknown }, path: string, value: unknown): void {
  const { found, value: actual } = read(root, path, 'test');
  if (!found && value !== null && value !== undefined)
    throw unapplicable(`testing path ${path} failed: missing value`);
  if (found && !equal(actual, value ?? null)) throw unapplicable(`testing value ${path} failed: test failed`);
}

function apply(root: { document: unknown }, operation: Operation): void {
  const op = String(operation.op ?? 'unknown');
  const path = operation.path as string;
  const from = operation.from as string;
  if (op === 'add') add(root, path, structuredClone(operation.value), op);
  else if (op === 'remove') remove(root, path, op);
  else if (op === 'replace') replace(root, path, structuredClone(operation.value));
  else if (op === 'test') test(root, path, operation.value);
  else if (op === 'move' || op === 'copy') {
    const { found, value } = read(root, from, op);
    if (!found) throw missing(op, from);
    if (op === 'move') remove(root, from, op);
    add(root, path, op === 'move' ? value : structuredClone(value), op);
  } else throw unapplicable(`Unexpected kind: ${op}`);
}

/**
 * Applies a JSON patch (RFC 6902): all of its operations or none. The document is not changed.
 * @throws {PatchError} 400 if it is not a list of operations, 413 if there are too many, 422 if one does not apply
 */
export function applyJSONPatch(document: JSONObject, patch: unknown): JSONObject {
  if (!Array.isArray(patch)) {
    const kind = isObject(patch) ? 'object' : typeof patch === 'boolean' ? 'bool' : typeof patch;
    throw new PatchError(
      400,
      `error decoding patch: json: cannot unmarshal ${kind} into Go value of type []handlers.jsonPatchOp`,
    );
  }
  if (patch.length > maxOperations)
    throw new PatchError(
      413,
      `Request entity is too large: The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`,
    );
  const root = { document: structuredClone(document) as unknown };
  for (const operation of patch as unknown[]) {
    if (!isObject(operation))
      throw new PatchError(
        400,
        `error decoding patch: json: cannot unmarshal ${Array.isArray(operation) ? 'array' : typeof operation} into Go value of type handlers.jsonPatchOp`,
      );
    for (const field of ['path', 'from', 'op'] as const)
      if (operation[field] !== undefined && typeof operation[field] !== 'string')
        throw new PatchError(
          400,
          `error decoding patch: json: cannot unmarshal ${Array.isArray(operation[field]) ? 'array' : typeof operation[field]} into Go struct field jsonPatchOp.${field} of type string`,
        );
    if (operation.path === undefined)
      throw unapplicable(`${String(operation.op)} operation failed to decode path: missing value`);
    if ((operation.op === 'move' || operation.op === 'copy') && operation.from === undefined)
      throw unapplicable(`${operation.op} operation failed to decode from: missing value`);
    apply(root, operation);
  }
  if (!isObject(root.document)) throw unapplicable('the patched document is not an object');
  return root.document;
}
