import type { Input } from '../../api/etcd/codec.ts';
import {
  type Compare,
  CompareResult,
  CompareTarget,
  type KeyValue,
  type RangeRequest,
  SortOrder,
  SortTarget,
  type TxnRequest,
} from '../../api/etcd/messages.ts';

/** One key's value; what is sorted and compared by. */
export type Cell = Pick<KeyValue, 'create_revision' | 'mod_revision' | 'version'> & {
  key: string;
  value: string;
};
type State = ReadonlyMap<string, Cell>;

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('latin1');
const order = <T>(a: T, b: T) => (a < b ? -1 : a > b ? 1 : 0);

/**
 * A store of a few lines: a map for every revision. It knows requests that are not refused for anything but their
 * revision: no leases, and no key written twice in a transaction.
 */
export class KvModel {
  private readonly states: State[] = [new Map(), new Map()];

  get revision(): number {
    return this.states.length - 1;
  }

  range(
    request: Input<RangeRequest> & object,
    state = this.states[revisionOf(request) || this.revision]!,
  ): unknown {
    const wanted = request as RangeRequest;
    const found = inRange(state, wanted);
    const { limit = 0, sort_order = 0, sort_target = 0 } = wanted;
    const targets = {
      [SortTarget.key]: 'key',
      [SortTarget.version]: 'version',
      [SortTarget.create]: 'create_revision',
      [SortTarget.mod]: 'mod_revision',
      [SortTarget.value]: 'value',
    } as const;
    const by = targets[sort_target as keyof typeof targets];
    const limited = wanted.sort_order === SortOrder.none ? cut(found, limit ? limit + 1 : 0) : found;
    const filters = [
      wanted.min_mod_revision,
      wanted.max_mod_revision,
      wanted.min_create_revision,
      wanted.max_create_revision,
    ];
    const [minMod, maxMod, minCreate, maxCreate] = filters.map((bound) => bound ?? 0) as [
      number,
      number,
      number,
      number,
    ];
    const filtered = (filters.some(Boolean) ? found : limited)
      .filter(({ mod_revision: r }) => (!minMod || r >= minMod) && (!maxMod || r <= maxMod))
      .filter(({ create_revision: r }) => (!minCreate || r >= minCreate) && (!maxCreate || r <= maxCreate))
      .sort((a, b) => (sort_order === SortOrder.descend ? order(b[by], a[by]) : order(a[by], b[by])));
    const kvs = wanted.count_only ? [] : cut(filtered, limit);
    return {
      kvs: kvs.map((cell) => (wanted.keys_only ? { ...cell, value: '' } : cell)),
      more: !wanted.count_only && kvs.length < filtered.length,
      count: found.length,
    };
  }

  /** Runs a transaction in a revision of its own, if it changes anything. */
  txn(request: Input<TxnRequest> & object): unknown {
    const next = new Map(this.states.at(-1)!);
    const mod = this.revision + 1;
    let changed = false;
    const before = this.states.at(-1)!;
    const run = (txn: TxnRequest): unknown => {
      const succeeded = txn.compare.every((compare) => holds(before, compare));
      const responses = (succeeded ? txn.success : txn.failure).map((operation): unknown => {
        const { request_range: range, request_put: put, request_delete_range: del } = operation;
        if (range) return this.range(range, range.revision ? this.states[range.revision]! : next);
        if (put) {
          const key = text(put.key);
          const old = next.get(key);
          const cell = {
            key,
            value: text(put.value),
            create_revision: old?.create_revision ?? mod,
            mod_revision: mod,
          };
          next.set(key, { ...cell, version: (old?.version ?? 0) + 1 });
          changed = true;
          return { previous: put.prev_kv ? old : undefined };
        }
        if (del) {
          const gone = inRange(next, del);
          for (const { key } of gone) changed = next.delete(key);
          return { deleted: gone.length, previous: del.prev_kv ? gone : [] };
        }
        return run(operation.request_txn!);
      });
      return { succeeded, responses };
    };
    // Which branches are taken is decided before anything is done, so comparisons see the state before.
    const answer = run(request as TxnRequest);
    if (changed) this.states.push(next);
    return answer;
  }
}

const revisionOf = (request: Input<RangeRequest> & object) => (request as RangeRequest).revision ?? 0;
const cut = <T>(list: T[], limit: number) => (limit > 0 ? list.slice(0, limit) : list);

function inRange(state: State, request: { key: Uint8Array; range_end?: Uint8Array }): Cell[] {
  const from = text(request.key);
  const end = text(request.range_end);
  return [...state.values()]
    .filter(({ key }) => (end === '' ? key === from : key >= from && (end === '\0' || key < end)))
    .sort((a, b) => order(a.key, b.key));
}

/** A comparison has to hold for every key of its range; a missing key has version and revisions 0 and no value. */
function holds(state: State, compare: Compare): boolean {
  const cells = inRange(state, compare);
  const compared = (cell: Cell | undefined): number | undefined => {
    switch (compare.target) {
      case CompareTarget.version:
        return order(cell?.version ?? 0, compare.version ?? 0);
      case CompareTarget.create:
        return order(cell?.create_revision ?? 0, compare.create_revision ?? 0);
      case CompareTarget.mod:
        return order(cell?.mod_revision ?? 0, compare.mod_revision ?? 0);
      default:
        return cell && order(cell.value, text(compare.value));
    }
  };
  return (cells.length > 0 ? cells : [undefined]).every((cell) => {
    const difference = compared(cell);
    if (difference === undefined) return false;
    return {
      [CompareResult.equal]: difference === 0,
      [CompareResult.notEqual]: difference !== 0,
      [CompareResult.greater]: difference > 0,
      [CompareResult.less]: difference < 0,
    }[compare.result as 0];
  });
}
