import type { Input } from '../../api/etcd/codec.ts';
import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from '../../api/etcd/messages.ts';
import { errors } from '../errors.ts';
import { type CallContext, type Service, unary } from '../grpc/service.ts';
import type { KeyEntry } from '../mvcc/key-entry.ts';
import type { Mvcc, WriteTransaction } from '../mvcc/mvcc.ts';
import { rangeAt } from '../mvcc/range.ts';
import type { Location } from '../mvcc/record.ts';
import {
  applyDelete,
  applyPut,
  checkLease,
  checkPutState,
  hasPut,
  isReadOnly,
  runTxn,
  type TxnView,
} from '../mvcc/txn.ts';
import { checkDelete, checkPut, checkRange, checkTxn } from '../mvcc/txn-check.ts';
import { header, type StoreContext } from './context.ts';

/** The durable state as a transaction that only reads sees it. */
class ReadView implements TxnView {
  private readonly mvcc: Mvcc;

  constructor(mvcc: Mvcc) {
    this.mvcc = mvcc;
  }

  get revision(): number {
    return this.mvcc.revision;
  }

  get compactRevision(): number {
    return this.mvcc.compactRevision;
  }

  get leases() {
    return this.mvcc.leases;
  }

  get(key: string): KeyEntry | undefined {
    return this.mvcc.get(key);
  }

  visit(from: string, to: string | undefined, visit: (entry: KeyEntry) => boolean | undefined): void {
    this.mvcc.visit(from, to, visit);
  }

  read(entry: KeyEntry, location: Location): Buffer {
    return this.mvcc.read(entry, location);
  }

  put(): never {
    throw new Error('a transaction that only reads cannot put');
  }

  delete(): never {
    throw new Error('a transaction that only reads cannot delete');
  }
}

/** etcd's KV service: https://etcd.io/docs/v3.5/learning/api/#key-value-api */
export function kvService(context: StoreContext): Service {
  const { mvcc, limits, quota, member } = context;

  /** Runs a write and gives its response the header of the revision it ended at. */
  const write = <T extends object>(
    operation: (transaction: WriteTransaction) => T,
  ): Promise<T & { header: ReturnType<typeof header> }> =>
    mvcc.submit((transaction) => {
      const response = operation(transaction);
      return { ...response, header: header(context, transaction.revision) };
    });

  const checkSize = ({ requestSize }: CallContext): void => {
    if (requestSize > limits.maxRequestBytes) throw errors.requestTooLarge();
  };

  return {
    name: 'etcdserverpb.KV',
    methods: {
      Range: unary(RangeRequest, RangeResponse, (request): Input<RangeResponse> => {
        checkRange(request);
        const revision = mvcc.readRevision(request.revision);
        return { header: header(context), ...rangeAt(mvcc, request, revision) };
      }),

      Put: unary(PutRequest, PutResponse, (request, call) => {
        checkPut(request);
        checkSize(call);
        quota.check(call.requestSize, member.alarms);
        return write((transaction): Input<PutResponse> & object => {
          // A put of its own asks for the lease first, one in a transaction for the key: as etcd does.
          checkLease(transaction, request.lease);
          checkPutState(transaction, request);
          return applyPut(transaction, request);
        });
      }),

      DeleteRange: unary(DeleteRangeRequest, DeleteRangeResponse, (request) => {
        checkDelete(request);
        return write((transaction): Input<DeleteRangeResponse> & object => applyDelete(transaction, request));
      }),

      Txn: unary(TxnRequest, TxnResponse, (request, call) => {
        checkTxn(request, limits.maxTxnOps);
        checkSize(call);
        if (hasPut(request)) quota.check(call.requestSize, member.alarms);
        if (isReadOnly(request)) return { ...runTxn(new ReadView(mvcc), request), header: header(context) };
        return write((transaction): Input<TxnResponse> & object => runTxn(transaction, request));
      }),

      Compact: unary(CompactionRequest, CompactionResponse, async ({ revision, physical }) => {
        await mvcc.compact(revision);
        if (physical) await mvcc.compacted();
        return { header: header(context) };
      }),
    },
  };
}
