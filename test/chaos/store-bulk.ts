import type { EtcdClient } from '../../store/testing/etcd.ts';
import type { History } from './store-history.ts';
import { pack, unpack } from './store-values.ts';

const count = 100;
const nameOf = (index: number) => `bulk/${String(index).padStart(3, '0')}`;
const whole = { key: Buffer.from('bulk/'), range_end: Buffer.from('bulk0') };

/**
 * Transactions that write many keys at once: a torn one shows, and what they supersede gives compactions work to
 * do for longer than one step.
 */
export class Bulk {
  private readonly history: History;
  /** Each key is given the number of its transaction. */
  private asked = 0;
  private lastRevision = 0;
  private acknowledged = 0;

  constructor(history: History) {
    this.history = history;
  }

  /** Writes all keys, each with a value of so many bytes more than its number takes. */
  async write(etcd: EtcdClient, size: number): Promise<void> {
    const number = ++this.asked;
    const value = pack(String(number), size);
    this.history.operations++;
    this.history.bytes += count * value.length;
    const { header } = await etcd.txn({
      success: Array.from({ length: count }, (_, index) => ({
        request_put: { key: Buffer.from(nameOf(index)), value },
      })),
    });
    this.history.told(header!.revision);
    if (header!.revision < this.lastRevision) return;
    this.lastRevision = header!.revision;
    this.acknowledged = number;
  }

  /** Looks whether the last acknowledged transaction is there, and none in part. */
  async check(etcd: EtcdClient): Promise<void> {
    const { acknowledged, lastRevision } = this;
    const { kvs } = await etcd.range(whole);
    const problem = this.problemOf(kvs, { acknowledged, lastRevision });
    if (problem) this.history.problems.push(problem);
  }

  private problemOf(
    kvs: readonly { value: Uint8Array; mod_revision: number }[],
    expected: { acknowledged: number; lastRevision: number },
  ): string | undefined {
    if (kvs.length === 0 && expected.acknowledged === 0) return undefined;
    const values = new Set(kvs.map(({ value, mod_revision }) => `${unpack(value)} at ${mod_revision}`));
    if (kvs.length !== count || values.size !== 1)
      return `D4: of ${count} keys written at once ${kvs.length} are there, as ${[...values].slice(0, 4)}`;
    const revision = kvs[0]!.mod_revision;
    if (revision < expected.lastRevision)
      return `D1: a transaction acknowledged at ${expected.lastRevision} is lost, its keys are of ${revision}`;
    if (revision === expected.lastRevision && unpack(kvs[0]!.value) !== String(expected.acknowledged))
      return `D1: at ${revision} transaction ${expected.acknowledged} was acknowledged, ${[...values]} is there`;
    return undefined;
  }
}
