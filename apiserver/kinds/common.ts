import type { KubeObject } from '../../api/object.ts';
import type { KindDeclaration, TableColumn } from '../registry/kind.ts';

/** The verbs of an ordinary resource. */
export const allVerbs: readonly string[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];

/** Forgets T, so that declarations of different kinds fit into one list. The registry hands each its own objects. */
export const declare = <T extends KubeObject>(declaration: KindDeclaration<T>): KindDeclaration =>
  declaration as unknown as KindDeclaration;

/** Whether two JSON values are the same; an absent field equals an undefined one. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => same(item, b[index]));
  }
  if (Array.isArray(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key in left) if (!same(left[key], right[key])) return false;
  for (const key in right) if (right[key] !== undefined && left[key] === undefined) return false;
  return true;
}

/** Objects with a spec and a status, whose generation counts changes of the spec. */
interface Specced extends KubeObject {
  spec?: object;
  status?: object;
}

/** On create: no status from the client, generation 1. */
export function startGeneration(object: Specced): void {
  delete object.status;
  object.metadata ??= {};
  object.metadata.generation = 1;
}

/** On update: the status stays, and the generation goes up if the spec changed or deletion began. */
export function keepStatusAndCount(next: Specced, previous: Specced): void {
  if (previous.status === undefined) delete next.status;
  else next.status = previous.status;
  countGeneration(next, previous);
}

/** The generation follows the spec; a client cannot set it. */
export function countGeneration(next: Specced, previous: Specced): void {
  next.metadata ??= {};
  const generation = previous.metadata?.generation;
  if (!same(next.spec, previous.spec)) next.metadata.generation = (generation ?? 0) + 1;
  else if (generation === undefined) delete next.metadata.generation;
  else next.metadata.generation = generation;
}

const unit = { second: 1000, minute: 60_000, hour: 3_600_000 };

/** A span in milliseconds as kubectl shows ages: `5s`, `3m10s`, `47h`, `6d3h`. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / unit.second);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const pair = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
    small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
  const minutes = Math.trunc(milliseconds / unit.minute);
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(milliseconds / unit.hour);
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 192) return pair(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  const years = Math.trunc(days / 365);
  return days < 2920 ? pair(years, 'y', days % 365, 'd') : `${years}y`;
}

/** The time since a timestamp as kubectl shows it; `<unknown>` without one. */
export function age(timestamp: string | undefined, now: number): string {
  if (!timestamp) return '<unknown>';
  return humanDuration(now - Date.parse(timestamp));
}

export const nameColumn: TableColumn<KubeObject> = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name, unique among the objects of this type in the namespace.',
  value: (object) => object.metadata?.name ?? '',
};

export const ageColumn: TableColumn<KubeObject> = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was created.',
  value: (object, now) => age(object.metadata?.creationTimestamp, now),
};

/** A map as `a=1,b=2`, sorted; `<none>` if there is nothing. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const entries = Object.entries(labels ?? {});
  if (!entries.length) return '<none>';
  return entries
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
}

/** Number of entries of a map. */
export const count = (map: object | undefined): number => (map ? Object.keys(map).length : 0);
