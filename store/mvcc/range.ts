import type { Input } from '../../api/etcd/codec.ts';
import {
  KeyValue,
  type RangeRequest,
  type RangeResponse,
  SortOrder,
  SortTarget,
} from '../../api/etcd/messages.ts';
import type { KeyEntry } from './key-entry.ts';
import type { Location } from './record.ts';

/** Where a range is read: the store's readers and a transaction's own view give the same. */
export interface RangeSource {
  get(key: string): KeyEntry | undefined;
  visit(from: string, to: string | undefined, visit: (entry: KeyEntry) => boolean | undefined): void;
  read(entry: KeyEntry, location: Location): Buffer;
}

/** A key range in etcd's notation: no `range_end` is one key, `\0` is everything from `key` on. */
export interface KeyRange {
  from: string;
  /** Exclusive; undefined: no end. */
  to: string | undefined;
  single: boolean;
}

export function keyRange(key: Buffer, rangeEnd: Buffer): KeyRange {
  const from = key.toString('latin1');
  if (rangeEnd.length === 0) return { from, to: `${from}\0`, single: true };
  const everything = rangeEnd.length === 1 && rangeEnd[0] === 0;
  return { from, to: everything ? undefined : rangeEnd.toString('latin1'), single: false };
}

/** Visits the keys of a range that exist at `revision`, in order. */
export function visitRange(
  source: RangeSource,
  { from, to, single }: KeyRange,
  revision: number,
  visit: (entry: KeyEntry) => boolean | undefined,
): void {
  if (single) {
    const entry = source.get(from);
    if (entry?.existed(revision)) visit(entry);
    return;
  }
  source.visit(from, to, (entry) => (entry.existed(revision) ? visit(entry) : undefined));
}

type Found = Pick<RangeResponse, 'more' | 'count'> & { kvs: Input<KeyValue>[] };

/**
 * Answers a range at `revision` (already checked), as etcd's `applierV3backend.Range` does: the limit cuts what
 * was sorted and filtered, but a sort target without an order sorts what the limit has left.
 */
export function rangeAt(source: RangeSource, request: RangeRequest, revision: number): Found {
  const { limit, sort_order, sort_target, keys_only, count_only } = request;
  const filtered =
    request.min_mod_revision !== 0 ||
    request.max_mod_revision !== 0 ||
    request.min_create_revision !== 0 ||
    request.max_create_revision !== 0;
  const fetchLimit =
    limit > 0 && sort_order === SortOrder.none && !filtered ? limit + 1 : Number.POSITIVE_INFINITY;
  const entries: KeyEntry[] = [];
  let count = 0;
  visitRange(source, keyRange(request.key, request.range_end), revision, (entry) => {
    if (++count <= fetchLimit && !count_only) entries.push(entry);
    return undefined;
  });
  if (count_only) return { kvs: [], more: false, count };
  const sorted = filtered || sort_order !== SortOrder.none || sort_target !== SortTarget.key;
  if (!sorted && !keys_only) {
    const more = limit > 0 && entries.length > limit;
    if (more) entries.length = limit;
    return { kvs: entries.map((entry) => readAt(source, entry, revision)), more, count };
  }
  let kvs = entries.map((entry) => KeyValue.decode(readAt(source, entry, revision)));
  if (filtered) kvs = kvs.filter((kv) => matches(kv, request));
  if (sorted) sort(kvs, sort_order, sort_target);
  const more = limit > 0 && kvs.length > limit;
  if (more) kvs.length = limit;
  if (keys_only) for (const kv of kvs) kv.value = empty;
  return { kvs, more, count };
}

const empty = Buffer.alloc(0);

function readAt(source: RangeSource, entry: KeyEntry, revision: number): Buffer {
  const location = entry.locate(revision);
  if (!location) throw new Error(`key of revision ${entry.revision} does not exist at ${revision}`);
  return source.read(entry, location);
}

function matches(kv: KeyValue, request: RangeRequest): boolean {
  const { min_mod_revision, max_mod_revision, min_create_revision, max_create_revision } = request;
  return (
    (max_mod_revision === 0 || kv.mod_revision <= max_mod_revision) &&
    (min_mod_revision === 0 || kv.mod_revision >= min_mod_revision) &&
    (max_create_revision === 0 || kv.create_revision <= max_create_revision) &&
    (min_create_revision === 0 || kv.create_revision >= min_create_revision)
  );
}

const comparers: Record<number, (a: KeyValue, b: KeyValue) => number> = {
  [SortTarget.key]: (a, b) => Buffer.compare(a.key, b.key),
  [SortTarget.version]: (a, b) => a.version - b.version,
  [SortTarget.create]: (a, b) => a.create_revision - b.create_revision,
  [SortTarget.mod]: (a, b) => a.mod_revision - b.mod_revision,
  [SortTarget.value]: (a, b) => Buffer.compare(a.value, b.value),
};

function sort(kvs: KeyValue[], order: number, target: number): void {
  const compare = comparers[target];
  if (!compare) return;
  if (order === SortOrder.descend) kvs.sort((a, b) => compare(b, a));
  else kvs.sort(compare);
}
