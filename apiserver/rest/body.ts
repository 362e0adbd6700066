import { DecodeError as WireError } from '../../api/etcd/wire.ts';
import type { KubeObject } from '../../api/object.ts';
import { type DecodeTarget, decodeObject, type ParseYAML, strictFailure } from '../../api/schema/decode.ts';
import { DecodeError } from '../../api/schema/decode-error.ts';
import { schemaOf } from '../../api/schema/kubernetes.ts';
import { walkSchema } from '../../api/schema/walk.ts';
import type { DeleteOptions } from '../../api/types/meta-v1.ts';
import { badRequest, unsupportedMediaType } from './api-error.ts';

export type BodyFormat = 'json' | 'yaml' | 'protobuf';

/** The media types that objects may be sent in. */
export const bodyTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

/** What to do about unknown and duplicate fields. */
export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

/** The media type of a header, without parameters. */
export const mediaType = (header: string | undefined): string =>
  (header ?? '').split(';')[0]!.trim().toLowerCase();

/** What a body is written in; an absent header means JSON. @throws {ApiError} 415 */
export function bodyFormat(contentType: string | undefined): BodyFormat {
  switch (mediaType(contentType)) {
    case '':
    case '*/*':
    case 'application/json':
      return 'json';
    case 'application/yaml':
      return 'yaml';
    case 'application/vnd.kubernetes.protobuf':
      return 'protobuf';
    default:
      throw unsupportedMediaType(bodyTypes);
  }
}

/** @throws {ApiError} 400 for a word that is none of the three */
export function fieldValidationOf(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') || 'Warn';
  if (value !== 'Strict' && value !== 'Warn' && value !== 'Ignore')
    throw badRequest(
      `fieldValidation: Unsupported value: ${JSON.stringify(value)}: supported values: "Ignore", "Strict", "Warn"`,
    );
  return value;
}

/** The body as text in JSON or YAML. Protobuf, which only kubectl's `create` commands send, becomes JSON first. */
async function textOf(bytes: Buffer, format: BodyFormat): Promise<string> {
  if (format !== 'protobuf') return bytes.toString();
  const { decodeProtobuf } = await import('../../api/protobuf/decode.ts');
  try {
    return JSON.stringify(decodeProtobuf(bytes));
  } catch (error) {
    if (error instanceof WireError) throw badRequest(error.message);
    throw error;
  }
}

export interface BodyRequest {
  bytes: Buffer;
  contentType: string | undefined;
  target: DecodeTarget;
  validation: FieldValidation;
  isKnown(apiVersion: string, kind: string): boolean;
  /** Unknown and duplicate fields are added here under `Warn`. */
  warnings: string[];
}

/** An object of a known kind from a request's body, types checked. @throws {ApiError} 400 or 415 */
export async function decodeBody<T extends KubeObject>(request: BodyRequest): Promise<T> {
  const { target, validation } = request;
  const format = bodyFormat(request.contentType);
  const yaml: ParseYAML | undefined =
    format === 'yaml' ? (await import('../../api/schema/yaml.ts')).parseYAML : undefined;
  const text = await textOf(request.bytes, format);
  try {
    const { object, strictErrors } = decodeObject<T>(text, target, {
      strict: validation !== 'Ignore' && format !== 'protobuf',
      isKnown: request.isKnown,
      ...(yaml && { yaml }),
    });
    if (strictErrors.length) {
      if (validation === 'Strict') throw badRequest(strictFailure(target, strictErrors));
      request.warnings.push(...strictErrors);
    }
    return object;
  } catch (error) {
    if (error instanceof DecodeError) throw badRequest(error.message);
    throw error;
  }
}

/** Any JSON or YAML value. @throws {ApiError} 400 */
export async function parseValue(bytes: Buffer, format: BodyFormat): Promise<unknown> {
  const text = await textOf(bytes, format);
  try {
    if (format !== 'yaml') return JSON.parse(text) as unknown;
    const { parseYAML } = await import('../../api/schema/yaml.ts');
    return parseYAML(text).value;
  } catch (error) {
    throw badRequest(`error decoding ${format}: ${(error as Error).message}`);
  }
}

/** DeleteOptions from a body; they come under the apiVersion of any group. @throws {ApiError} 400 or 415 */
export async function decodeDeleteOptions(
  bytes: Buffer,
  contentType: string | undefined,
): Promise<DeleteOptions> {
  const value = await parseValue(bytes, bodyFormat(contentType));
  try {
    const schema = schemaOf('io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions');
    return walkSchema(schema, value ?? {}).value as DeleteOptions;
  } catch (error) {
    if (error instanceof DecodeError)
      throw badRequest(
        `DeleteOptions in version "v1" cannot be handled as a DeleteOptions: ${error.message}`,
      );
    throw error;
  }
}
