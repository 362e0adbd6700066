import { isObject, type JSONObject, PatchError, setOwn } from './patch-error.ts';

function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: JSONObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else setOwn(result, key, merge(Object.hasOwn(result, key) ? result[key] : undefined, value));
  }
  return result;
}

/**
 * Applies a JSON merge patch (RFC 7386): objects are merged, null deletes, everything else replaces. Neither argument
 * is changed.
 * @throws {PatchError} 400 if the patch is not an object
 */
export function applyMergePatch(document: JSONObject, patch: unknown): JSONObject {
  if (!isObject(patch)) throw new PatchError(400, 'Invalid JSON Patch');
  return merge(document, patch) as JSONObject;
}
