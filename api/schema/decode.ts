import { quote } from '../field-error.ts';
import { apiVersionOf, type KubeObject } from '../object.ts';
import { DecodeError } from './decode-error.ts';
import { countPairs, duplicateFields, parseJSON } from './json-text.ts';
import type { ObjectNode } from './node.ts';
import { walkSchema } from './walk.ts';

/** What the body should be. */
export interface DecodeTarget {
  group: string;
  version: string;
  kind: string;
  schema: ObjectNode;
}

/** A YAML parser: the value of the first document, and what is written twice in it, in Go's words. */
export type ParseYAML = (text: string) => { value: unknown; duplicates: string[] };

export interface DecodeOptions {
  /** Present if the body is YAML. */
  yaml?: ParseYAML;
  /** Look for unknown and duplicate fields (fieldValidation Strict or Warn). Unknown ones are dropped either way. */
  strict: boolean;
  /** Whether the API serves this kind, to tell a misplaced object from an unknown one. */
  isKnown?(apiVersion: string, kind: string): boolean;
}

export interface Decoded<T> {
  object: T;
  /** `unknown field "spec.foo"`, `duplicate field "spec.bar"`; empty unless strict. */
  strictErrors: string[];
}

const shownBytes = 30;

/** The beginning of the body, as Kubernetes repeats it in an error. */
function summarize(text: string): string {
  if (text === '') return '<empty>';
  const data = Buffer.from(text);
  const shown = text.startsWith('{')
    ? data.subarray(0, shownBytes).toString()
    : data.subarray(0, shownBytes).toString('hex');
  return data.length > shownBytes ? `${shown} ...` : shown;
}

/** Strict errors as one message: what a client gets that asked for strict field validation. */
export const strictMessage = (strictErrors: readonly string[]): string =>
  `strict decoding error: ${strictErrors.join(', ')}`;

interface Identity {
  apiVersion: string;
  kind: string;
}

function identify(value: unknown): Identity {
  const fail = (why: string): never => {
    throw new DecodeError(`couldn't get version/kind; json parse error: ${why}`);
  };
  const kinds: Record<string, string> = {
    boolean: 'bool',
    number: 'number',
    string: 'string',
    object: 'array',
  };
  if (value === null) return { apiVersion: '', kind: '' };
  if (typeof value !== 'object' || Array.isArray(value))
    fail(
      `json: cannot unmarshal ${kinds[typeof value]} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
    );
  const { apiVersion, kind } = value as Record<string, unknown>;
  for (const [field, item] of [
    ['apiVersion', apiVersion],
    ['kind', kind],
  ] as const)
    if (item !== undefined && item !== null && typeof item !== 'string')
      fail(
        `json: cannot unmarshal ${Array.isArray(item) ? 'array' : typeof item === 'boolean' ? 'bool' : typeof item} into Go struct field .${field} of type string`,
      );
  return { apiVersion: (apiVersion as string) || '', kind: (kind as string) || '' };
}

/**
 * Reads the body of a create or an update: parses it, checks kind and types against the schema, and brings it into
 * canonical form. A body without kind or apiVersion is taken for what the address says, as Kubernetes does.
 * @throws {DecodeError} with the whole message of the 400 answer
 */
export function decodeObject<T extends KubeObject>(
  text: string,
  target: DecodeTarget,
  options: DecodeOptions,
): Decoded<T> {
  const expected = apiVersionOf(target);
  let value: unknown;
  let identity: Identity;
  let yamlDuplicates: string[] = [];
  try {
    if (options.yaml) ({ value, duplicates: yamlDuplicates } = options.yaml(text));
    else
      try {
        value = parseJSON(text);
      } catch (error) {
        throw new DecodeError(`couldn't get version/kind; json parse error: ${(error as Error).message}`);
      }
    identity = identify(value);
  } catch (error) {
    throw new DecodeError(
      `the object provided is unrecognized (must be of type ${target.kind}): ${(error as Error).message} (${summarize(text)})`,
    );
  }
  const apiVersion = identity.apiVersion || expected;
  const kind = identity.kind || target.kind;
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1);
  const unfit = (why: string): DecodeError =>
    new DecodeError(`${kind} in version ${quote(version)} cannot be handled as a ${target.kind}: ${why}`);
  if (kind !== target.kind || apiVersion !== expected) {
    if (options.isKnown && !options.isKnown(apiVersion, kind))
      throw unfit(
        `no kind ${quote(kind)} is registered for version ${quote(apiVersion)} in scheme "pkg/api/legacyscheme/scheme.go:30"`,
      );
    if (kind !== target.kind)
      throw unfit(
        `converting (${version}.${kind}) to (${target.group.split('.')[0] || 'core'}.${target.kind}): unknown conversion`,
      );
    throw new DecodeError(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    );
  }
  try {
    const result = walkSchema(target.schema, value ?? {});
    const object = result.value as T;
    object.apiVersion = expected;
    object.kind = target.kind;
    if (!options.strict) return { object, strictErrors: [] };
    const strictErrors = yamlDuplicates;
    for (const path of result.unknown) strictErrors.push(`unknown field ${quote(path)}`);
    if (!options.yaml && countPairs(text) !== result.keys)
      for (const path of duplicateFields(text)) strictErrors.push(`duplicate field ${quote(path)}`);
    return { object, strictErrors };
  } catch (error) {
    if (error instanceof DecodeError) throw unfit(error.message);
    throw error;
  }
}

/** The 400 message for a body with strict errors, when the client asked for strict field validation. */
export const strictFailure = (target: DecodeTarget, strictErrors: readonly string[]): string =>
  `${target.kind} in version ${quote(target.version)} cannot be handled as a ${target.kind}: ${strictMessage(strictErrors)}`;
