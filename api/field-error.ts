/**
 * Reasons why a field is refused, worded as Kubernetes words them
 * (k8s.io/apimachinery/pkg/util/validation/field). The reason is a machine-readable cause type.
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
 */
export interface FieldProblem {
  reason: string;
  field: string;
  message: string;
}

/** A value as Go's `%q` prints a string: double-quoted, with escapes for what is not printable. */
export const quote = (text: string): string => JSON.stringify(text);

function shown(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'object') return JSON.stringify(value);
  return String(value);
}

const withDetail = (text: string, detail: string): string => (detail ? `${text}: ${detail}` : text);

/** The field must be set. */
export const required = (field: string, detail = ''): FieldProblem => ({
  reason: 'FieldValueRequired',
  field,
  message: withDetail('Required value', detail),
});

/** The value is malformed or out of bounds. */
export const invalid = (field: string, value: unknown, detail: string): FieldProblem => ({
  reason: 'FieldValueInvalid',
  field,
  message: withDetail(`Invalid value: ${shown(value)}`, detail),
});

/** The value is not one of an enumeration. The values are listed in the order given. */
export const notSupported = (field: string, value: unknown, supported: readonly string[]): FieldProblem => ({
  reason: 'FieldValueNotSupported',
  field,
  message: withDetail(
    `Unsupported value: ${shown(value)}`,
    supported.length ? `supported values: ${supported.map(quote).join(', ')}` : '',
  ),
});

/** The value is well-formed but not permitted here. */
export const forbidden = (field: string, detail: string): FieldProblem => ({
  reason: 'FieldValueForbidden',
  field,
  message: withDetail('Forbidden', detail),
});

/** The value must be unique and is not. */
export const duplicate = (field: string, value: unknown): FieldProblem => ({
  reason: 'FieldValueDuplicate',
  field,
  message: `Duplicate value: ${shown(value)}`,
});

/** The value names something that does not exist. */
export const notFound = (field: string, value: unknown): FieldProblem => ({
  reason: 'FieldValueNotFound',
  field,
  message: `Not found: ${shown(value)}`,
});

/** The value is longer than `max` bytes; the value itself is not repeated. */
export const tooLong = (field: string, max: number): FieldProblem => ({
  reason: 'FieldValueTooLong',
  field,
  message: `Too long: may not be more than ${max} bytes`,
});

/** The list has more than `max` items. */
export const tooMany = (field: string, actual: number, max: number): FieldProblem => ({
  reason: 'FieldValueTooMany',
  field,
  message: `Too many: ${actual}: must have at most ${max} items`,
});

/** `path[index]` */
export const at = (path: string, index: number): string => `${path}[${index}]`;

/** `path[key]`, as Kubernetes names the entry of a map. */
export const atKey = (path: string, key: string): string => `${path}[${key}]`;

/**
 * The message of an Invalid status: `Pod "x" is invalid: spec.a: Required value`, with square brackets around
 * several. Repeated reasons appear once.
 */
export function invalidMessage(kind: string, name: string, problems: readonly FieldProblem[]): string {
  const texts = [...new Set(problems.map((problem) => `${problem.field}: ${problem.message}`))];
  const body = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return `${kind} ${quote(name)} is invalid: ${body}`;
}
