import jsonPatch, { type Operation } from 'fast-json-patch';
import type { KubeObject } from '../../api/object.ts';
import { badRequest, unsupportedMediaType } from './api-error.ts';
import { isRecord, parseBody } from './body.ts';

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

const types: Record<string, PatchType> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

/** The kind of patch from its media type. @throws {ApiError} 415 */
export function patchTypeOf(contentType: string | undefined): PatchType {
  const type = types[(contentType ?? '').split(';')[0]!.trim().toLowerCase()];
  if (!type) throw unsupportedMediaType(Object.keys(types));
  return type;
}

/** https://www.rfc-editor.org/rfc/rfc7386 */
function merge(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merge(result[name], value);
  }
  return result;
}

/** A patch, parsed once; applied to each state that the write is tried on. */
export async function compilePatch(
  type: PatchType,
  bytes: Buffer,
): Promise<(current: KubeObject) => KubeObject> {
  const patch = await parseBody(bytes, 'json');
  if (type === 'json') {
    return (current) => jsonPatch.applyPatch(current, patch as Operation[], true, false).newDocument;
  }
  if (!isRecord(patch)) throw badRequest('the patch must be a JSON object');
  return (current) => merge(current, patch) as KubeObject;
}
