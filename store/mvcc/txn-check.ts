import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from '../../api/etcd/messages.ts';
import { errors } from '../errors.ts';

/** What can be refused without looking at the data: etcd's `v3rpc/key.go`. All throw {@link GrpcError}. */

export function checkRange(request: RangeRequest): void {
  if (request.key.length === 0) throw errors.emptyKey();
}

export function checkPut(request: PutRequest): void {
  if (request.key.length === 0) throw errors.emptyKey();
  if (request.ignore_value && request.value.length > 0) throw errors.valueProvided();
  if (request.ignore_lease && request.lease !== 0n) throw errors.leaseProvided();
}

export function checkDelete(request: DeleteRangeRequest): void {
  if (request.key.length === 0) throw errors.emptyKey();
}

/** @param maxOps operations allowed on one level; a nested transaction may have what its parents have left. */
export function checkTxn(request: TxnRequest, maxOps: number): void {
  checkShape(request, maxOps);
  checkIntervals(request.success);
  checkIntervals(request.failure);
}

function checkShape({ compare, success, failure }: TxnRequest, maxOps: number): void {
  const operations = Math.max(compare.length, success.length, failure.length);
  if (operations > maxOps) throw errors.tooManyOps();
  for (const { key } of compare) if (key.length === 0) throw errors.emptyKey();
  for (const operation of success) checkOperation(operation, maxOps - operations);
  for (const operation of failure) checkOperation(operation, maxOps - operations);
}

function checkOperation(operation: RequestOp, maxOps: number): void {
  const { request_range, request_put, request_delete_range, request_txn } = operation;
  if (request_range) checkRange(request_range);
  else if (request_put) checkPut(request_put);
  else if (request_delete_range) checkDelete(request_delete_range);
  else if (request_txn) checkShape(request_txn, maxOps);
  else throw errors.keyNotFound();
}

/** Half-open; no `to`: no end. */
interface Interval {
  from: string;
  to: string | undefined;
}

interface Touched {
  puts: Set<string>;
  deletes: Interval[];
}

/**
 * No key may be written twice: a put may not meet another put or a delete, of its own level or of a nested
 * transaction. Both branches of one nested transaction may put the same key, since only one of them runs.
 */
function checkIntervals(operations: readonly RequestOp[]): Touched {
  const deletes: Interval[] = [];
  for (const { request_delete_range } of operations)
    if (request_delete_range) deletes.push(interval(request_delete_range));
  const puts = new Set<string>();
  const isDeleted = (key: string) =>
    deletes.some(({ from, to }) => from <= key && (to === undefined || key < to));
  for (const { request_txn } of operations) {
    if (!request_txn) continue;
    const then = checkIntervals(request_txn.success);
    const otherwise = checkIntervals(request_txn.failure);
    for (const key of then.puts) {
      if (puts.has(key) || isDeleted(key)) throw errors.duplicateKey();
      puts.add(key);
    }
    for (const key of otherwise.puts) {
      if ((puts.has(key) && !then.puts.has(key)) || isDeleted(key)) throw errors.duplicateKey();
      puts.add(key);
    }
    deletes.push(...then.deletes, ...otherwise.deletes);
  }
  for (const { request_put } of operations) {
    if (!request_put) continue;
    const key = request_put.key.toString('latin1');
    if (puts.has(key) || isDeleted(key)) throw errors.duplicateKey();
    puts.add(key);
  }
  return { puts, deletes };
}

function interval({ key, range_end }: DeleteRangeRequest): Interval {
  const from = key.toString('latin1');
  return { from, to: range_end.length === 0 ? `${from}\0` : range_end.toString('latin1') };
}
