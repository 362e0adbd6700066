import type { Input } from '../../api/etcd/codec.ts';
import {
  type Compare,
  CompareResult,
  CompareTarget,
  type DeleteRangeRequest,
  type DeleteRangeResponse,
  KeyValue,
  type PutRequest,
  type PutResponse,
  type RangeRequest,
  type RangeResponse,
  type RequestOp,
  type ResponseOp,
  type TxnRequest,
  type TxnResponse,
} from '../../api/etcd/messages.ts';
import { errors } from '../errors.ts';
import type { KeyEntry } from './key-entry.ts';
import { keyRange, type RangeSource, rangeAt, visitRange } from './range.ts';

/** The lease of each key, as far as transactions need it. */
export interface LeaseView {
  has(id: bigint): boolean;
  leaseOf(key: string): bigint;
}

/** What a transaction works on: the writer's view, or for one that only reads, the durable state. */
export interface TxnView extends RangeSource {
  /** Of what the transaction has changed, or of what it has found. */
  readonly revision: number;
  readonly compactRevision: number;
  readonly leases: LeaseView;
  put(key: Buffer, value: Uint8Array, lease: bigint): void;
  delete(key: string): void;
}

/** Whether a transaction can change nothing, whichever branch it takes. */
export function isReadOnly({ success, failure }: TxnRequest): boolean {
  const reads = ({ request_range, request_txn }: RequestOp): boolean =>
    request_range !== undefined || (request_txn !== undefined && isReadOnly(request_txn));
  return success.every(reads) && failure.every(reads);
}

/** Whether some branch of a transaction adds data. */
export function hasPut({ success, failure }: TxnRequest): boolean {
  const puts = ({ request_put, request_txn }: RequestOp): boolean =>
    request_put !== undefined || (request_txn !== undefined && hasPut(request_txn));
  return success.some(puts) || failure.some(puts);
}

/** Which branch each transaction of a tree takes. */
interface Path {
  succeeded: boolean;
  operations: readonly RequestOp[];
  /** One for each nested transaction of the branch, in order. */
  nested: Path[];
}

/**
 * Runs a checked transaction: all comparisons of the tree are decided first, then everything that can fail is
 * checked, then the branch is applied. Thus it applies wholly or, throwing, not at all.
 */
export function runTxn(view: TxnView, request: TxnRequest): Input<TxnResponse> {
  const path = choose(view, request);
  checkPath(view, path, (operation) => operation.request_put && checkPutState(view, operation.request_put));
  checkPath(
    view,
    path,
    (operation) => operation.request_range && checkRangeState(view, operation.request_range),
  );
  return { ...apply(view, path), header: { revision: view.revision } };
}

function choose(view: TxnView, request: TxnRequest): Path {
  const succeeded = request.compare.every((compare) => holds(view, compare));
  const operations = succeeded ? request.success : request.failure;
  const nested = operations.flatMap(({ request_txn }) => (request_txn ? [choose(view, request_txn)] : []));
  return { succeeded, operations, nested };
}

function checkPath(view: TxnView, { operations, nested }: Path, check: (operation: RequestOp) => void): void {
  let at = 0;
  for (const operation of operations)
    if (operation.request_txn) checkPath(view, nested[at++]!, check);
    else check(operation);
}

/** @throws {GrpcError} for an unknown lease, or nothing to keep with `ignore_value` or `ignore_lease`. */
export function checkPutState(view: TxnView, request: PutRequest): void {
  if (request.ignore_value || request.ignore_lease) {
    const entry = view.get(request.key.toString('latin1'));
    if (!entry?.existed(view.revision)) throw errors.keyNotFound();
  }
  checkLease(view, request.lease);
}

/** @throws {GrpcError} for an unknown lease; 0 is none. */
export function checkLease(view: TxnView, lease: bigint): void {
  if (lease !== 0n && !view.leases.has(lease)) throw errors.leaseNotFound();
}

function checkRangeState(view: TxnView, { revision }: RangeRequest): void {
  if (revision > view.revision) throw errors.futureRevision();
  if (revision > 0 && revision < view.compactRevision) throw errors.compacted();
}

function apply(view: TxnView, { succeeded, operations, nested }: Path): Input<TxnResponse> {
  let at = 0;
  const responses = operations.map((operation): Input<ResponseOp> => {
    const { request_range, request_put, request_delete_range } = operation;
    if (request_range) return { response_range: applyRange(view, request_range) };
    if (request_put) return { response_put: applyPut(view, request_put) };
    if (request_delete_range) return { response_delete_range: applyDelete(view, request_delete_range) };
    return { response_txn: { ...apply(view, nested[at++]!), header: {} } };
  });
  return { succeeded, responses };
}

function applyRange(view: TxnView, request: RangeRequest): Input<RangeResponse> {
  const revision = request.revision > 0 ? request.revision : view.revision;
  return { header: { revision: view.revision }, ...rangeAt(view, request, revision) };
}

/** Applies a put that {@link checkPutState} has passed. */
export function applyPut(view: TxnView, request: PutRequest): Input<PutResponse> {
  const name = request.key.toString('latin1');
  let { value, lease } = request;
  let previous: Buffer | undefined;
  if (request.prev_kv || request.ignore_value) {
    const entry = view.get(name);
    const location = entry?.locate(view.revision);
    if (entry && location) previous = view.read(entry, location);
  }
  if (request.ignore_value && previous) value = KeyValue.decode(previous).value;
  if (request.ignore_lease) lease = view.leases.leaseOf(name);
  view.put(request.key, value, lease);
  return { header: { revision: view.revision }, prev_kv: request.prev_kv ? previous : undefined };
}

export function applyDelete(view: TxnView, request: DeleteRangeRequest): Input<DeleteRangeResponse> {
  const entries: KeyEntry[] = [];
  visitRange(view, keyRange(request.key, request.range_end), view.revision, (entry) => {
    entries.push(entry);
    return undefined;
  });
  const prev_kvs = request.prev_kv ? entries.map((entry) => view.read(entry, entry)) : [];
  for (const { key } of entries) view.delete(key);
  return { header: { revision: view.revision }, deleted: entries.length, prev_kvs };
}

/** A comparison on a range holds if it holds for every key of it; on a missing key, value never holds. */
function holds(view: TxnView, compare: Compare): boolean {
  const range = keyRange(compare.key, compare.range_end);
  let found = false;
  let result = true;
  visitRange(view, range, view.revision, (entry) => {
    found = true;
    result = holdsFor(view, compare, entry);
    return result;
  });
  if (found) return result;
  return compare.target !== CompareTarget.value && decide(compare, -sign(expected(compare)));
}

function holdsFor(view: TxnView, compare: Compare, entry: KeyEntry): boolean {
  switch (compare.target) {
    case CompareTarget.version:
      return decide(compare, entry.version - (compare.version ?? 0));
    case CompareTarget.create:
      return decide(compare, entry.createRevision - (compare.create_revision ?? 0));
    case CompareTarget.mod:
      return decide(compare, entry.revision - (compare.mod_revision ?? 0));
    case CompareTarget.lease:
      return decide(compare, sign(view.leases.leaseOf(entry.key) - (compare.lease ?? 0n)));
    case CompareTarget.value: {
      const { value } = KeyValue.decode(view.read(entry, entry));
      return decide(compare, Buffer.compare(value, compare.value ?? Buffer.alloc(0)));
    }
    default:
      return decide(compare, 0);
  }
}

function expected(compare: Compare): number | bigint {
  switch (compare.target) {
    case CompareTarget.version:
      return compare.version ?? 0;
    case CompareTarget.create:
      return compare.create_revision ?? 0;
    case CompareTarget.mod:
      return compare.mod_revision ?? 0;
    case CompareTarget.lease:
      return compare.lease ?? 0n;
    default:
      return 0;
  }
}

const sign = (value: number | bigint) => (value > 0 ? 1 : value < 0 ? -1 : 0);

function decide({ result }: Compare, difference: number): boolean {
  switch (result) {
    case CompareResult.equal:
      return difference === 0;
    case CompareResult.notEqual:
      return difference !== 0;
    case CompareResult.greater:
      return difference > 0;
    case CompareResult.less:
      return difference < 0;
    default:
      return true;
  }
}
