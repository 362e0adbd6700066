import { setCondition } from '../../api/conditions.ts';
import { keyOf } from '../../api/object.ts';
import { nodes, pods as podResource } from '../../api/resources.ts';
import type { Node, Pod, Taint } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer } from '../../client/informer.ts';
import { isNotFound } from '../../client/status-error.ts';
import { type ControllerContext, type ControllerDeclaration, QueueController } from '../common/context.ts';
import { jsonEqual } from '../common/equal.ts';
import { byNode, indexPodsByNode } from '../common/pod-informer.ts';
import { isPodTerminal } from '../common/pod-state.ts';
import { timestamp } from '../common/time.ts';
import { evictionTime } from './plan.ts';

const noExecute = (node: Node | undefined): Taint[] =>
  node?.spec?.taints?.filter((taint) => taint.effect === 'NoExecute') ?? [];

/** Deletes pods from nodes whose NoExecute taints they do not tolerate, or no longer. */
class TaintEvictionController extends QueueController {
  readonly #client: ApiClient;
  readonly #events: EventRecorder;
  readonly #now: () => number;
  readonly #nodes: Informer<Node>;
  readonly #pods: Informer<Pod>;
  /** Pods that wait for their end. */
  readonly #marked = new Set<string>();

  constructor(context: ControllerContext) {
    super({ sync: (key) => this.#sync(key), log: context.log });
    this.#client = context.client;
    this.#now = context.now;
    this.#events = context.events('taint-eviction-controller');
    this.#nodes = context.informers.informer(nodes);
    this.#pods = indexPodsByNode(context.informers.informer(podResource));
    this.#nodes.on({
      add: (node) => {
        if (noExecute(node).length > 0) this.#enqueuePods(node);
      },
      update: (node, old) => {
        if (!jsonEqual(noExecute(node), noExecute(old))) this.#enqueuePods(node);
      },
    });
    this.#pods.on({
      add: (pod) => this.#enqueue(pod),
      update: (pod, old) => {
        if (
          pod.spec?.nodeName !== old.spec?.nodeName ||
          !jsonEqual(pod.spec?.tolerations, old.spec?.tolerations)
        )
          this.#enqueue(pod);
      },
      delete: (pod) => this.#marked.delete(keyOf(pod)),
    });
  }

  #enqueuePods(node: Node): void {
    for (const pod of this.#pods.byIndex(byNode, node.metadata?.name ?? '')) this.queue.add(keyOf(pod));
  }

  #enqueue(pod: Pod): void {
    const name = pod.spec?.nodeName;
    if (name && noExecute(this.#nodes.get(name)).length > 0) this.queue.add(keyOf(pod));
  }

  async #sync(key: string): Promise<void> {
    const pod = this.#pods.get(key);
    if (!pod?.spec?.nodeName || pod.metadata?.deletionTimestamp) return;
    const taints = noExecute(this.#nodes.get(pod.spec.nodeName));
    const at = taints.length > 0 ? evictionTime(pod, taints, this.#now()) : undefined;
    if (at === undefined) {
      if (this.#marked.delete(key))
        this.#events.event(pod, 'Normal', 'TaintManagerEviction', `Cancelling deletion of Pod ${key}`);
      return;
    }
    this.#marked.add(key);
    const left = at - this.#now();
    if (left > 0) this.queue.addAfter(key, left);
    else await this.#evict(pod);
  }

  async #evict(pod: Pod): Promise<void> {
    this.#events.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${keyOf(pod)}`);
    const { name = '', namespace, uid } = pod.metadata ?? {};
    try {
      if (!isPodTerminal(pod)) await this.#noteDisruption(pod);
      await this.#client.delete(podResource, { name, namespace }, { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** Tells the pod's controller that the pod is not to blame for its end. */
  async #noteDisruption(pod: Pod): Promise<void> {
    const conditions = setCondition(
      pod.status?.conditions,
      {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByTaintManager',
        message: 'Taint manager: deleting due to NoExecute taint',
      },
      timestamp(this.#now()),
    );
    if (conditions === pod.status?.conditions) return;
    const status = { ...pod.status, conditions };
    await this.#client.update(podResource, { ...pod, status }, { subresource: 'status' });
  }
}

export const taintEvictionController: ControllerDeclaration = {
  name: 'taint-eviction-controller',
  setUp: (context) => new TaintEvictionController(context),
};
