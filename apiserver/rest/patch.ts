import { invalid as fieldInvalid, quote } from '../../api/field-error.ts';
import type { KubeObject } from '../../api/object.ts';
import { applyJSONPatch } from '../../api/patch/json-patch.ts';
import { applyMergePatch } from '../../api/patch/merge-patch.ts';
import { goText, type JSONObject, PatchError } from '../../api/patch/patch-error.ts';
import { applyStrategicMergePatch } from '../../api/patch/strategic-merge-patch.ts';
import { strictMessage } from '../../api/schema/decode.ts';
import { DecodeError } from '../../api/schema/decode-error.ts';
import type { ObjectNode } from '../../api/schema/node.ts';
import { walkSchema } from '../../api/schema/walk.ts';
import { ApiError, invalid, unsupportedMediaType } from './api-error.ts';
import { type FieldValidation, mediaType, parseValue } from './body.ts';

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

const types: Record<string, PatchType> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

/** The kind of patch from its media type. @throws {ApiError} 415 */
export function patchTypeOf(contentType: string | undefined): PatchType {
  const type = types[mediaType(contentType)];
  if (!type) throw unsupportedMediaType(Object.keys(types));
  return type;
}

export interface PatchRequest {
  type: Exclude<PatchType, 'apply'>;
  bytes: Buffer;
  schema: ObjectNode;
  validation: FieldValidation;
  warnings: string[];
}

/**
 * A patch, parsed once, to be applied to each state that the write is tried on. The result has been checked
 * against the schema.
 * @throws {ApiError} 400, 413 or 422
 */
export async function compilePatch(request: PatchRequest): Promise<(current: KubeObject) => KubeObject> {
  const { type, bytes, schema, validation } = request;
  const patch = await parseValue(bytes, 'json');
  return (current) => {
    const value = apply(type, current as JSONObject, patch, schema);
    // Kubernetes repeats a strategic merge patch, and of the others the outcome.
    const shown = (): string => (type === 'strategic' ? goText(patch) : JSON.stringify(value));
    try {
      const result = walkSchema(schema, value);
      if (validation !== 'Ignore') reportUnknown(request, result.unknown, shown);
      return result.value as KubeObject;
    } catch (error) {
      if (error instanceof DecodeError) throw invalidPatch(shown(), error.message);
      throw error;
    }
  };
}

function apply(
  type: PatchRequest['type'],
  current: JSONObject,
  patch: unknown,
  schema: ObjectNode,
): JSONObject {
  try {
    if (type === 'json') return applyJSONPatch(current, patch);
    if (type === 'merge') return applyMergePatch(current, patch);
    return applyStrategicMergePatch(current, patch, schema);
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    const reasons = { 400: 'BadRequest', 413: 'RequestEntityTooLarge', 422: 'Invalid' } as const;
    throw new ApiError({
      code: error.code,
      reason: reasons[error.code],
      message: error.message,
      details: {},
    });
  }
}

/** What Kubernetes answers when a patch applies, but its result is no such object. */
const invalidPatch = (patched: string, why: string): ApiError =>
  invalid({ group: '', plural: '', kind: '' }, '', [fieldInvalid('patch', patched, why)]);

function reportUnknown(
  { validation, warnings }: PatchRequest,
  unknown: readonly string[],
  shown: () => string,
): void {
  if (!unknown.length) return;
  const strictErrors = unknown.map((path) => `unknown field ${quote(path)}`);
  if (validation === 'Strict') throw invalidPatch(shown(), strictMessage(strictErrors));
  warnings.push(...strictErrors);
}
