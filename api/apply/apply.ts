import { quote } from '../field-error.ts';
import type { KubeObject } from '../object.ts';
import type { ObjectNode } from '../schema/node.ts';
import type { ManagedFieldsEntry } from '../types/meta-v1.ts';
import { FieldSet, formatPath } from './field-set.ts';
import { compare, fieldsOf, mergeApplied, removeFields, typeOf } from './typed.ts';

/**
 * Server-side apply: who manages which fields of an object, what an applied configuration makes of it, and where two
 * managers disagree. https://kubernetes.io/docs/reference/using-api/server-side-apply/
 */

export interface Conflict {
  manager: string;
  /** The field, as `.spec.replicas`. */
  field: string;
  /** `conflict with "kubectl" using apps/v1` */
  message: string;
}

/** Other managers hold fields that the configuration would change. Answered with 409 and a cause for each conflict. */
export class ApplyConflictError extends Error {
  override name = 'ApplyConflictError';
  readonly conflicts: readonly Conflict[];

  constructor(message: string, conflicts: readonly Conflict[]) {
    super(message);
    this.conflicts = conflicts;
  }
}

interface Manager {
  manager: string;
  operation: string;
  apiVersion: string;
  subresource: string;
  time: string | undefined;
  fields: FieldSet;
}

/** Fields of metadata that belong to the server, whoever sends them. */
const serverMetadata = [
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'generation',
  'managedFields',
  'resourceVersion',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
].map((name) => `f:${name}`);

/** Manages what was there before an object was first applied. */
const beforeFirstApply = 'before-first-apply';

function read(entries: readonly ManagedFieldsEntry[] | undefined): Manager[] {
  return (entries ?? []).map((entry) => ({
    manager: entry.manager ?? '',
    operation: entry.operation ?? 'Update',
    apiVersion: entry.apiVersion ?? '',
    subresource: entry.subresource ?? '',
    time: entry.time,
    fields: FieldSet.fromFieldsV1(entry.fieldsV1),
  }));
}

/** Appliers first, then the others by time. */
function write(managers: readonly Manager[]): ManagedFieldsEntry[] {
  const order = (a: Manager, b: Manager): number => {
    if (a.operation !== b.operation) return a.operation === 'Apply' ? -1 : 1;
    if (a.time !== b.time) return (a.time ?? '') < (b.time ?? '') ? -1 : 1;
    return a.manager < b.manager ? -1 : 1;
  };
  return managers
    .filter((manager) => !manager.fields.isEmpty)
    .sort(order)
    .map(({ manager, operation, apiVersion, subresource, time, fields }) => ({
      manager,
      operation,
      apiVersion,
      ...(time === undefined ? {} : { time }),
      fieldsType: 'FieldsV1',
      fieldsV1: fields.toFieldsV1(),
      ...(subresource ? { subresource } : {}),
    }));
}

function withoutServerFields(fields: FieldSet, ignored: readonly string[]): FieldSet {
  const rest = fields.without(['f:apiVersion', 'f:kind', ...ignored.map((name) => `f:${name}`)]);
  const metadata = rest.at('f:metadata');
  if (!metadata) return rest;
  const kept = FieldSet.of(false, metadata.without(serverMetadata).children);
  return FieldSet.of(rest.member, [...rest.without(['f:metadata']).children, ['f:metadata', kept]]);
}

const described = ({ manager, operation, apiVersion, subresource }: Manager): string =>
  `${quote(manager)}${subresource ? ` with subresource ${quote(subresource)}` : ''}${operation === 'Update' ? ` using ${apiVersion}` : ''}`;

function conflictError(found: readonly { manager: Manager; fields: FieldSet }[]): ApplyConflictError {
  const conflicts: Conflict[] = [];
  const groups: string[] = [];
  for (const { manager, fields } of [...found].sort((a, b) =>
    a.manager.manager < b.manager.manager ? -1 : 1,
  )) {
    const paths = [...fields.paths()].map(formatPath).sort();
    groups.push(`conflicts with ${described(manager)}:`, ...paths.map((path) => `- ${path}`));
    for (const field of paths)
      conflicts.push({ manager: manager.manager, field, message: `conflict with ${described(manager)}` });
  }
  const [only] = conflicts;
  const text =
    conflicts.length === 1 && only
      ? `Apply failed with 1 conflict: ${only.message}: ${only.field}`
      : `Apply failed with ${conflicts.length} conflicts: ${groups.join('\n')}`;
  return new ApplyConflictError(text, conflicts);
}

interface Context {
  schema: ObjectNode;
  apiVersion: string;
  manager: string;
  /** RFC 3339. */
  now: string;
  subresource?: string;
  /** Top-level fields that this way of writing does not touch, such as `status`. */
  ignored?: readonly string[];
}

export interface ApplyRequest extends Context {
  /** The object as stored; absent if it is to be created. */
  live: KubeObject | undefined;
  /** What the client applies, checked against the schema but not filled up with defaults. */
  applied: KubeObject;
  /** Take over fields that others manage instead of failing. */
  force: boolean;
}

/** Objects and named fields on the way to a member count as members: an object that loses its last field goes too. */
function withParents(fields: FieldSet, isField: boolean): FieldSet {
  return FieldSet.of(
    fields.member || isField,
    [...fields.children].map(([step, child]) => [step, withParents(child, step.startsWith('f:'))]),
  );
}

/** What the manager applied last time and leaves out now, as far as nobody else has anything in it. */
function abandoned(last: FieldSet, kept: FieldSet): FieldSet {
  const gone = last.member && kept.isEmpty;
  return FieldSet.of(
    gone,
    [...last.children].map(([step, child]) => [step, abandoned(child, kept.at(step) ?? FieldSet.empty)]),
  );
}

const unionOf = (managers: readonly Manager[]): FieldSet =>
  managers.reduce((all, manager) => all.union(manager.fields), FieldSet.empty);

/** Takes fields away from managers, or fails if that was not asked for. */
function yieldFields(
  managers: readonly Manager[],
  changed: FieldSet,
  removed: FieldSet,
  force: boolean,
): Manager[] {
  const found = managers
    .map((manager) => ({ manager, fields: manager.fields.intersection(changed) }))
    .filter(({ fields }) => !fields.isEmpty);
  if (found.length && !force) throw conflictError(found);
  return managers.map((manager) => ({
    ...manager,
    fields: manager.fields.difference(changed).difference(removed),
  }));
}

/** The object with one top-level field as it was before. */
function restored(after: KubeObject, before: KubeObject, name: string): KubeObject {
  const { [name]: _changed, ...rest } = after as Record<string, unknown>;
  const kept = (before as Record<string, unknown>)[name];
  return kept === undefined ? rest : { ...rest, [name]: kept };
}

/**
 * What an applied configuration makes of an object: it is merged in, fields that the same manager applied before and
 * leaves out now go unless somebody else manages them, and `metadata.managedFields` records it all. The arguments are
 * not changed. Returns the live object itself if nothing changes.
 * @throws {ApplyConflictError} if others manage fields that would change, unless forced
 * @throws {ApplyTypeError} if items of a keyed list lack their keys or stand twice
 */
export function applyConfiguration(request: ApplyRequest): KubeObject {
  const { live, applied, manager, force, schema, apiVersion, now, subresource = '', ignored = [] } = request;
  const type = typeOf(schema);
  const before = (live ?? {}) as KubeObject;
  let managers = read(before.metadata?.managedFields);
  if (live && !managers.some((item) => item.operation === 'Apply') && !managers.length)
    managers = [
      {
        manager: beforeFirstApply,
        operation: 'Update',
        apiVersion,
        subresource: '',
        time: now,
        fields: withoutServerFields(fieldsOf(type, before), ignored),
      },
    ];
  const isSelf = (item: Manager): boolean =>
    item.manager === manager && item.operation === 'Apply' && item.subresource === subresource;
  const self = managers.find(isSelf);
  const others = managers.filter((item) => !isSelf(item));
  const fields = withoutServerFields(fieldsOf(type, applied), ignored);

  let after = mergeApplied(type, before, applied) as KubeObject;
  for (const name of ignored) after = restored(after, before, name);
  if (self)
    after = removeFields(
      type,
      after,
      abandoned(withParents(self.fields, false), fields.union(unionOf(others))),
    ) as KubeObject;

  const difference = compare(type, before, after);
  const changed = withoutServerFields(difference.added.union(difference.modified), ignored);
  const rest = yieldFields(others, changed, difference.removed, force);
  const unchanged = changed.isEmpty && difference.removed.isEmpty;
  if (live && unchanged && (self?.fields ?? FieldSet.empty).equals(fields)) return live;
  const entry: Manager = { manager, operation: 'Apply', apiVersion, subresource, time: now, fields };
  return { ...after, metadata: { ...after.metadata, managedFields: write([entry, ...rest]) } };
}

export interface UpdateRecord extends Context {
  before: KubeObject;
  after: KubeObject;
}

/**
 * The managed fields of an object after a write that was no apply: the writer manages what it changed. An object that
 * was never applied has none, and none are begun for it: the first apply takes what is there as managed by
 * `before-first-apply`.
 */
export function recordUpdate(record: UpdateRecord): ManagedFieldsEntry[] | undefined {
  const { before, after, manager, schema, apiVersion, now, subresource = '', ignored = [] } = record;
  const entries = before.metadata?.managedFields;
  if (!entries?.length) return undefined;
  const difference = compare(typeOf(schema), before, after);
  const changed = withoutServerFields(difference.added.union(difference.modified), ignored);
  const removed = withoutServerFields(difference.removed, ignored);
  if (changed.isEmpty && removed.isEmpty) return entries;
  const managers = read(entries);
  const isSelf = (item: Manager): boolean =>
    item.manager === manager &&
    item.operation === 'Update' &&
    item.subresource === subresource &&
    item.apiVersion === apiVersion;
  const self = managers.find(isSelf);
  const rest = yieldFields(
    managers.filter((item) => !isSelf(item)),
    changed,
    removed,
    true,
  );
  const fields = (self?.fields ?? FieldSet.empty).difference(removed).union(changed);
  return write([...rest, { manager, operation: 'Update', apiVersion, subresource, time: now, fields }]);
}
