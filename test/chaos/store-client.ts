import { setTimeout as delay } from 'node:timers/promises';
import { CompareTarget } from '../../api/etcd/messages.ts';
import type { GrpcClient } from '../../store/grpc/client.ts';
import { EtcdClient } from '../../store/testing/etcd.ts';
import type { Bulk } from './store-bulk.ts';
import { bulkLoad, type Sizes, valueSize } from './store-disturbance.ts';
import type { History } from './store-history.ts';
import type { Leases } from './store-leases.ts';
import { pack, unpack } from './store-values.ts';

const keys = ['k/a', 'k/b', 'k/c', 'k/d', 'k/e', 'k/f'];
/** Written together, always with the same value. */
export const pair = ['k/x', 'k/y'];

export interface ChaosClientOptions {
  id: number;
  history: History;
  leases: Leases;
  bulk: Bulk;
  random: () => number;
  /** How large values are now. */
  sizes: () => Sizes;
  connect: () => Promise<GrpcClient>;
  running: () => boolean;
}

/** One of the concurrent clients of a run: it reads and writes at random, and connects again after a kill. */
export class ChaosClient {
  private readonly options: ChaosClientOptions;

  constructor(options: ChaosClientOptions) {
    this.options = options;
  }

  async run(): Promise<void> {
    const { connect, running } = this.options;
    while (running()) {
      try {
        const connection = await connect();
        const etcd = new EtcdClient(connection);
        try {
          while (running()) await this.operate(etcd);
        } finally {
          connection.close();
        }
      } catch {
        await delay(10);
      }
    }
  }

  private operate(etcd: EtcdClient): Promise<void> {
    const { random, leases, bulk, history } = this.options;
    const { share, size } = bulkLoad(this.options.sizes());
    if (random() < share) return bulk.write(etcd, size);
    const dice = random();
    if (dice < 0.08) return this.writePair(etcd);
    if (dice < 0.16) return this.readPair(etcd);
    if (dice < 0.2) return leases.operate(etcd, random);
    const key = keys[Math.floor(random() * keys.length)]!;
    const value = `${this.options.id}-${history.nextValue()}`;
    if (dice < 0.47) return this.put(etcd, key, value);
    if (dice < 0.75) return this.get(etcd, key);
    if (dice < 0.85) return this.delete(etcd, key);
    return this.swap(etcd, key, value);
  }

  private pack(value: string): Buffer {
    const { history, random, sizes } = this.options;
    const bytes = pack(value, valueSize(sizes(), random));
    history.bytes += bytes.length;
    return bytes;
  }

  private put(etcd: EtcdClient, key: string, value: string): Promise<void> {
    const { history, id } = this.options;
    return history.record({ key, client: id, unknown: { kind: 'put', value } }, async () => {
      const { header } = await etcd.put({ key: Buffer.from(key), value: this.pack(value) });
      history.acknowledge(header!.revision, key, value);
      return { kind: 'put', value };
    });
  }

  private get(etcd: EtcdClient, key: string): Promise<void> {
    const { history, id } = this.options;
    return history.record({ key, client: id, unknown: { kind: 'get', value: undefined } }, async () => {
      const before = history.highest;
      const { kvs, header } = await etcd.range({ key: Buffer.from(key) });
      if (header!.revision < before)
        history.problems.push(`D3: a read answered at ${header!.revision} after ${before} was acknowledged`);
      return { kind: 'get', value: kvs[0] ? unpack(kvs[0].value) : null };
    });
  }

  private delete(etcd: EtcdClient, key: string): Promise<void> {
    const { history, id } = this.options;
    return history.record({ key, client: id, unknown: { kind: 'delete', deleted: undefined } }, async () => {
      const { header, deleted } = await etcd.deleteRange({ key: Buffer.from(key) });
      if (deleted > 0) history.acknowledge(header!.revision, key, null);
      return { kind: 'delete', deleted: deleted > 0 };
    });
  }

  private async swap(etcd: EtcdClient, key: string, value: string): Promise<void> {
    const { history, id } = this.options;
    const name = Buffer.from(key);
    const current = (await etcd.range({ key: name })).kvs[0]?.value;
    const from = current ? unpack(current) : null;
    const compare = current
      ? { key: name, target: CompareTarget.value, value: current }
      : { key: name, target: CompareTarget.version, version: 0 };
    const unknown = { kind: 'swap', from, value, succeeded: undefined } as const;
    await history.record({ key, client: id, unknown }, async () => {
      const { succeeded, header } = await etcd.txn({
        compare: [compare],
        success: [{ request_put: { key: name, value: this.pack(value) } }],
      });
      if (succeeded) history.acknowledge(header!.revision, key, value);
      return { kind: 'swap', from, value, succeeded };
    });
  }

  private async writePair(etcd: EtcdClient): Promise<void> {
    const { history } = this.options;
    const value = `pair-${history.nextValue()}`;
    const bytes = this.pack(value);
    history.operations++;
    const { header } = await etcd.txn({
      success: pair.map((key) => ({ request_put: { key: Buffer.from(key), value: bytes } })),
    });
    for (const key of pair) history.acknowledge(header!.revision, key, value);
  }

  private async readPair(etcd: EtcdClient): Promise<void> {
    const { history } = this.options;
    history.operations++;
    const { responses } = await etcd.txn({
      success: pair.map((key) => ({ request_range: { key: Buffer.from(key) } })),
    });
    const [x, y] = responses.map(({ response_range }) => {
      const kv = response_range!.kvs[0];
      return kv && unpack(kv.value);
    });
    if (x !== y) history.problems.push(`D4: a transaction's two keys were read as ${x} and ${y}`);
  }
}
