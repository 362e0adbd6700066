import type { KubeObject } from '../../api/object.ts';
import { schemaOf } from '../../api/schema/kubernetes.ts';
import { walkSchema } from '../../api/schema/walk.ts';
import type { KindDeclaration } from '../registry/kind.ts';

/** For tests of kinds: what the registry does to objects, without a store. */

export const uid = '11111111-2222-3333-4444-555555555555';
const context = {
  now: Date.parse('2024-01-02T03:04:05Z'),
  newUID: () => uid,
  user: { name: 'tester', groups: [] },
};

/** An object as it stands after being decoded, defaulted and prepared for creation. */
export function created<T extends KubeObject>(kind: KindDeclaration<T>, object: object): T {
  const result = walkSchema(schemaOf(kind.schema), structuredClone(object)).value as T;
  result.metadata = {
    name: 'x',
    ...(kind.namespaced ? { namespace: 'default' } : {}),
    uid,
    ...result.metadata,
  };
  kind.defaults?.(result);
  kind.prepareForCreate?.(result, context);
  return result;
}

/** What a creation is refused for: `field: message`. */
export const problems = <T extends KubeObject>(kind: KindDeclaration<T>, object: object): string[] =>
  (kind.validate?.(created(kind, object)) ?? []).map(({ field, message }) => `${field}: ${message}`);

/** An object after an update and what that is refused for. */
export function updated<T extends KubeObject>(
  kind: KindDeclaration<T>,
  before: T,
  change: (next: T) => void,
): { object: T; problems: string[] } {
  const next = structuredClone(before);
  change(next);
  kind.defaults?.(next);
  kind.prepareForUpdate?.(next, before, context);
  const errors = [...(kind.validate?.(next) ?? []), ...(kind.validateUpdate?.(next, before) ?? [])];
  return { object: next, problems: errors.map(({ field, message }) => `${field}: ${message}`) };
}

/** The same for an update of the status. */
export function statusUpdated<T extends KubeObject>(
  kind: KindDeclaration<T>,
  before: T,
  change: (next: T) => void,
): { object: T; problems: string[] } {
  const next = structuredClone(before);
  change(next);
  kind.status?.prepareForUpdate?.(next, before, context);
  const errors = kind.status?.validateUpdate?.(next, before) ?? [];
  return { object: next, problems: errors.map(({ field, message }) => `${field}: ${message}`) };
}

/** The cells of an object's row by column name, at a time. */
export const row = <T extends KubeObject>(
  kind: KindDeclaration<T>,
  object: object,
  now = context.now,
): Record<string, unknown> =>
  Object.fromEntries(kind.columns.map((column) => [column.name, column.value(object as T, now)]));
