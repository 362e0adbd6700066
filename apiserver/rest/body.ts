import type { KubeObject } from '../../api/object.ts';
import { badRequest, unsupportedMediaType } from './api-error.ts';

/** The media types that objects may be sent in. */
export const bodyTypes = ['application/json', 'application/yaml'];

const mediaType = (header: string | undefined): string => (header ?? '').split(';')[0]!.trim().toLowerCase();

/** Whether a body may be in this type; an absent header means JSON. @throws {ApiError} 415 */
export function bodyFormat(contentType: string | undefined): 'json' | 'yaml' {
  const type = mediaType(contentType);
  if (type === '' || type === 'application/json' || type === '*/*') return 'json';
  if (type === 'application/yaml') return 'yaml';
  throw unsupportedMediaType(bodyTypes);
}

/** Parses text as JSON or YAML. @throws {ApiError} 400 if it is neither */
export async function parseBody(bytes: Buffer, format: 'json' | 'yaml'): Promise<unknown> {
  const text = bytes.toString();
  try {
    if (format === 'json') return JSON.parse(text) as unknown;
    const { parseDocument } = await import('yaml');
    const document = parseDocument(text, { uniqueKeys: false });
    if (document.errors.length) throw document.errors[0];
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (error) {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${format}): ${(error as Error).message}`,
    );
  }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An object from a request's body. @throws {ApiError} 400 or 415 */
export async function parseObject(bytes: Buffer, contentType: string | undefined): Promise<KubeObject> {
  const value = await parseBody(bytes, bodyFormat(contentType));
  if (!isRecord(value)) throw badRequest('the object provided is unrecognized (must be a JSON object)');
  return value as KubeObject;
}
