import { CompareResult, CompareTarget } from '../../api/etcd/messages.ts';
import type { EtcdClient } from './etcd-client.ts';

const key = Buffer.from('compact_rev_key');

/**
 * Forgets the store's old revisions, as kube-apiserver does: what is older than one interval goes. Several servers
 * share one key by guarded writes, so that of all of them one compacts in each round.
 */
export class Compactor {
  readonly #client: EtcdClient;
  #version = 0;
  #revision = 0;

  constructor(client: EtcdClient) {
    this.#client = client;
  }

  /** One round; to be called once per interval. @throws {EtcdError} */
  async compact(): Promise<void> {
    const response = await this.#client.txn({
      compare: [{ target: CompareTarget.version, result: CompareResult.equal, key, version: this.#version }],
      success: [{ request_put: { key, value: Buffer.from(String(this.#revision)) } }],
      failure: [{ request_range: { key } }],
    });
    const now = response.header!.revision;
    if (!response.succeeded) {
      // Another server is at it: follow its rounds.
      this.#version = response.responses[0]?.response_range?.kvs[0]?.version ?? 0;
      this.#revision = now;
      return;
    }
    const before = this.#revision;
    this.#version++;
    this.#revision = now;
    if (before > 0) await this.#client.compact({ revision: before });
  }
}
