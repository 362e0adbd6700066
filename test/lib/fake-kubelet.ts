import { formatIPv4 } from '../../api/net.ts';
import { keyOf } from '../../api/object.ts';
import { pods } from '../../api/resources.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import { Informer } from '../../client/informer.ts';
import type { Log } from '../../client/log.ts';
import { isConflict, isNotFound } from '../../client/status-error.ts';
import { isPodTerminal } from '../../controller-manager/common/pod-state.ts';
import { timestamp } from '../../controller-manager/common/time.ts';

/** How a pod's life goes on this node. */
export type Fate = 'ready' | 'unready' | 'succeed' | 'fail' | 'pending';

/**
 * Does for all pods what scheduler and kubelet do, through the API only: binds them, writes their status, and
 * confirms their end. It runs no container, so that controllers can be tested against the real apiserver alone.
 */
export class FakeKubelet {
  readonly #client: ApiClient;
  readonly #informer: Informer<Pod>;
  readonly #fate: (pod: Pod) => Fate;
  #addresses = 0;

  constructor(options: { client: ApiClient; log: Log; node: string; fate?: (pod: Pod) => Fate }) {
    const { client, log, node } = options;
    this.#client = client;
    this.#fate = options.fate ?? (() => 'ready');
    this.#informer = new Informer({ client, log, resource: pods });
    const handle = (pod: Pod) => {
      this.#handle(pod, node).catch((error: unknown) => {
        if (!isConflict(error) && !isNotFound(error))
          log.error({ err: error }, `fake kubelet: ${keyOf(pod)}`);
      });
    };
    this.#informer.on({ add: handle, update: handle });
  }

  start(signal: AbortSignal): void {
    this.#informer.start(signal);
  }

  async #handle(pod: Pod, node: string): Promise<void> {
    const { name = '', namespace, deletionTimestamp } = pod.metadata ?? {};
    const key = { name, namespace };
    if (deletionTimestamp) {
      if (pod.spec?.nodeName) await this.#client.delete(pods, key, { gracePeriodSeconds: 0 });
    } else if (!pod.spec?.nodeName) {
      const target = { apiVersion: 'v1', kind: 'Node', name: node };
      await this.#client.createSub(pods, key, 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: key,
        target,
      });
    } else if (!isPodTerminal(pod)) await this.#advance(pod);
  }

  async #advance(pod: Pod): Promise<void> {
    const fate = this.#fate(pod);
    if (fate === 'pending') return;
    const phase = fate === 'succeed' ? 'Succeeded' : fate === 'fail' ? 'Failed' : 'Running';
    const ready = fate === 'ready' ? 'True' : 'False';
    const before = pod.status?.conditions?.find((condition) => condition.type === 'Ready');
    if (pod.status?.phase === phase && before?.status === ready) return;
    const podIP = pod.status?.podIP ?? formatIPv4(0x0af40000 + ++this.#addresses);
    const conditions = [
      ...(pod.status?.conditions ?? []).filter((condition) => condition.type !== 'Ready'),
      { type: 'Ready', status: ready, lastTransitionTime: timestamp(Date.now()) },
    ];
    const status = { ...pod.status, phase, podIP, podIPs: [{ ip: podIP }], conditions };
    await this.#client.update(pods, { ...pod, status }, { subresource: 'status' });
  }
}
