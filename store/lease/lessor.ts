import { type Infer, int64, int64Id, message } from '../../api/etcd/codec.ts';
import { errors } from '../errors.ts';
import type { LeaseLedger, Mvcc } from '../mvcc/mvcc.ts';
import { Deadlines } from './deadlines.ts';

/** A lease on disk: etcd's leasepb.Lease. `remaining` is what was left at the last checkpoint, 0: all of it. */
export const LeaseRecord = message({ id: int64Id(1), ttl: int64(2), remaining: int64(3) });
export type LeaseRecord = Infer<typeof LeaseRecord>;

export interface Lease {
  readonly id: bigint;
  /** Seconds granted. */
  readonly ttl: number;
  /** When it expires, on the clock given. */
  expiry: number;
  readonly keys: Set<string>;
  /** The record on disk says less than the whole TTL. */
  checkpointed: boolean;
}

export interface LessorOptions {
  /** Monotonic milliseconds. */
  now: () => number;
  onError(error: unknown): void;
}

/** Seconds; etcd's, with its default election timeout. */
export const minTtl = 2;
export const maxTtl = 9_000_000_000;
const checkpointInterval = 300_000;

/**
 * The leases and the keys attached to them.
 *
 * Invariants:
 * - Grants, revocations and attachments happen on the store's writer only, so that they have one order with all
 *   other writes; expiry is a revocation like any other.
 * - A lease never expires before its time. After a restart it has what was left at the last checkpoint, which is
 *   at most five minutes more than was truly left, or all of it.
 */
export class Lessor implements LeaseLedger {
  private readonly leases = new Map<bigint, Lease>();
  private readonly leaseByKey = new Map<string, bigint>();
  private readonly deadlines: Deadlines<bigint>;
  private readonly options: LessorOptions;
  private mvcc: Mvcc | undefined;
  private checkpoints: NodeJS.Timeout | undefined;

  constructor(options: LessorOptions) {
    this.options = options;
    this.deadlines = new Deadlines(options.now, (id) => this.expire(id));
  }

  /** Starts expiring. Before it the lessor only learns what is on disk. */
  start(mvcc: Mvcc): void {
    this.mvcc = mvcc;
    for (const lease of this.leases.values()) this.deadlines.set(lease.id, lease.expiry);
    this.checkpoints = setInterval(() => {
      this.checkpoint().catch((error: unknown) => this.options.onError(error));
    }, checkpointInterval);
    this.checkpoints.unref();
  }

  stop(): void {
    this.deadlines.clear();
    clearInterval(this.checkpoints);
    this.mvcc = undefined;
  }

  private get store(): Mvcc {
    if (!this.mvcc) throw errors.stopped();
    return this.mvcc;
  }

  get size(): number {
    return this.leases.size;
  }

  // ---- ledger, called by the writer -----------------------------------------------------------------------

  has(id: bigint): boolean {
    return this.leases.has(id);
  }

  leaseOf(key: string): bigint {
    return this.leaseByKey.get(key) ?? 0n;
  }

  attach(id: bigint, key: string): void {
    this.leaseByKey.set(key, id);
    this.leases.get(id)?.keys.add(key);
  }

  detach(key: string): void {
    const id = this.leaseByKey.get(key);
    if (id === undefined) return;
    this.leaseByKey.delete(key);
    this.leases.get(id)?.keys.delete(key);
  }

  restore(body: Buffer): void {
    const { id, ttl, remaining } = LeaseRecord.decode(body);
    this.leases.set(id, {
      id,
      ttl,
      expiry: this.options.now() + (remaining || ttl) * 1000,
      keys: new Set(),
      checkpointed: remaining > 0,
    });
  }

  // ---- API ------------------------------------------------------------------------------------------------

  /**
   * Grants a lease for at least `ttl` seconds. `id` 0n: any free one.
   * @throws {GrpcError} when the id is taken or the TTL too large.
   */
  grant(id: bigint, ttl: number, randomId: () => bigint): Promise<Lease> {
    return this.store.submit(() => {
      if (ttl > maxTtl) throw errors.leaseTTLTooLarge();
      if (id !== 0n && this.leases.has(id)) throw errors.leaseExists();
      let chosen = id;
      while (chosen === 0n || this.leases.has(chosen)) chosen = randomId();
      const granted = Math.max(ttl, minTtl);
      const lease = {
        id: chosen,
        ttl: granted,
        expiry: this.options.now() + granted * 1000,
        keys: new Set<string>(),
        checkpointed: false,
      };
      this.leases.set(chosen, lease);
      this.deadlines.set(chosen, lease.expiry);
      this.store.putLease(chosen, LeaseRecord.encode({ id: chosen, ttl: granted }));
      return lease;
    });
  }

  /** Deletes a lease and its keys, in one revision. */
  revoke(id: bigint): Promise<void> {
    return this.store.submit((transaction) => {
      const lease = this.leases.get(id);
      if (!lease) throw errors.leaseNotFound();
      for (const key of [...lease.keys].sort()) transaction.delete(key);
      this.leases.delete(id);
      this.deadlines.delete(id);
      this.store.removeLease(id);
    });
  }

  /** Starts the lease's time anew. Returns its TTL; undefined when there is no such lease. */
  keepAlive(id: bigint): Promise<number | undefined> {
    return this.store.submit(() => {
      const lease = this.leases.get(id);
      if (!lease) return undefined;
      lease.expiry = this.options.now() + lease.ttl * 1000;
      this.deadlines.set(id, lease.expiry);
      // A restart must not go back to what was left before.
      if (lease.checkpointed) this.store.putLease(id, LeaseRecord.encode({ id, ttl: lease.ttl }));
      lease.checkpointed = false;
      return lease.ttl;
    });
  }

  /** Seconds left (rounded down), seconds granted and, on request, the keys. */
  timeToLive(
    id: bigint,
    withKeys: boolean,
  ): Promise<{ left: number; granted: number; keys: Buffer[] } | undefined> {
    return this.store.submit(() => {
      const lease = this.leases.get(id);
      if (!lease) return undefined;
      const left = Math.max(0, Math.floor((lease.expiry - this.options.now()) / 1000));
      const keys = withKeys ? [...lease.keys].sort().map((key) => Buffer.from(key, 'latin1')) : [];
      return { left, granted: lease.ttl, keys };
    });
  }

  /** All leases, those that expire first in front. */
  list(): Promise<bigint[]> {
    return this.store.submit(() =>
      [...this.leases.values()].sort((a, b) => a.expiry - b.expiry).map(({ id }) => id),
    );
  }

  private expire(id: bigint): void {
    this.mvcc
      ?.submit((transaction) => {
        const lease = this.leases.get(id);
        // A keep-alive may have come first.
        if (!lease || lease.expiry > this.options.now()) return;
        for (const key of [...lease.keys].sort()) transaction.delete(key);
        this.leases.delete(id);
        this.store.removeLease(id);
      })
      .catch((error: unknown) => this.options.onError(error));
  }

  /**
   * Notes on disk what is left of the leases that are longer than five minutes, so that restarts do not keep them
   * alive for ever. Happens every five minutes by itself.
   */
  async checkpoint(): Promise<void> {
    const long = [...this.leases.values()].filter(({ ttl }) => ttl * 1000 > checkpointInterval);
    if (long.length === 0) return;
    await this.mvcc?.submit(() => {
      const now = this.options.now();
      for (const lease of long) {
        const { id, ttl, expiry } = lease;
        if (this.leases.get(id) !== lease) continue;
        const remaining = Math.max(1, Math.ceil((expiry - now) / 1000));
        this.store.putLease(id, LeaseRecord.encode({ id, ttl, remaining }));
        lease.checkpointed = true;
      }
    });
  }
}
