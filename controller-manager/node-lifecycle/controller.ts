import { findCondition } from '../../api/conditions.ts';
import { keyOf } from '../../api/object.ts';
import { leases, nodes, pods as podResource } from '../../api/resources.ts';
import type { Lease } from '../../api/types/coordination-v1.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { Informer } from '../../client/informer.ts';
import { isNotFound } from '../../client/status-error.ts';
import { forEachAtOnce } from '../common/batches.ts';
import { type ControllerContext, type ControllerDeclaration, QueueController } from '../common/context.ts';
import { byNode, indexPodsByNode } from '../common/pod-informer.ts';
import { isPodReady } from '../common/pod-state.ts';
import { timestamp } from '../common/time.ts';
import { disruptionOf, type GracePeriods, planHealth, planTaints, readyStatus } from './plan.ts';

/** Namespace of the kubelets' heartbeat Leases. */
const leaseNamespace = 'kube-node-lease';

/** Marks silent nodes, keeps taints in line with conditions, and takes pods of bad nodes out of service. */
class NodeLifecycleController extends QueueController {
  readonly #client: ApiClient;
  readonly #events: EventRecorder;
  readonly #now: () => number;
  readonly #periods: GracePeriods;
  readonly #nodes: Informer<Node>;
  readonly #pods: Informer<Pod>;
  readonly #leases: Informer<Lease>;
  /** By node name: the last sign of life, by this process' clock. */
  readonly #probedAt = new Map<string, number>();
  /** Nodes whose pods have been marked since the node was last ready. */
  readonly #podsMarked = new Set<string>();

  constructor(context: ControllerContext) {
    super({ sync: (key) => this.#sync(key), log: context.log });
    this.#client = context.client;
    this.#now = context.now;
    this.#events = context.events('node-controller');
    this.#periods = {
      monitor: context.flags['node-monitor-grace-period'],
      startup: context.flags['node-startup-grace-period'],
    };
    this.#nodes = context.informers.informer(nodes);
    this.#pods = indexPodsByNode(context.informers.informer(podResource));
    // Its own, not the shared one: leader election renews other Leases every two seconds.
    const { client, log } = context;
    this.#leases = new Informer({ client, log, resource: leases, namespace: leaseNamespace });
    this.#leases.on({
      add: (lease) => this.#probed(lease.metadata?.name),
      update: (lease, old) => {
        if (lease.spec?.renewTime !== old.spec?.renewTime) this.#probed(lease.metadata?.name);
      },
    });
    this.#nodes.on({
      add: (node) => {
        const name = node.metadata?.name ?? '';
        this.#probedAt.set(name, this.#now());
        this.#events.event(node, 'Normal', 'RegisteredNode', `Registered Node ${name} in Controller`);
        this.#enqueueAll();
      },
      update: (node, old) => this.#updated(node, old),
      delete: (node) => {
        const name = node.metadata?.name ?? '';
        this.#probedAt.delete(name);
        this.#podsMarked.delete(name);
        this.#events.event(node, 'Normal', 'RemovingNode', `Removing Node ${name} from Controller`);
        this.#enqueueAll();
      },
    });
    this.#pods.on({
      add: (pod) => this.#assigned(pod),
      update: (pod, old) => {
        if (pod.spec?.nodeName !== old.spec?.nodeName) this.#assigned(pod);
      },
    });
  }

  override async run(signal: AbortSignal): Promise<void> {
    this.#leases.start(signal);
    await super.run(signal);
  }

  #probed(name: string | undefined): void {
    if (name && this.#probedAt.has(name)) this.#probedAt.set(name, this.#now());
  }

  #updated(node: Node, old: Node): void {
    const heartbeat = (item: Node) => findCondition(item.status?.conditions, 'Ready')?.lastHeartbeatTime;
    if (heartbeat(node) !== heartbeat(old)) this.#probed(node.metadata?.name);
    if (readyStatus(node) === readyStatus(old)) {
      this.queue.add(keyOf(node));
      return;
    }
    // One node may bring the whole cluster into or out of a disruption.
    if (disruptionOf(this.#nodes.values()) !== 'full' && readyStatus(node) === 'True')
      this.#probeAllOnRecovery(node);
    this.#enqueueAll();
  }

  /** While no node was reachable nothing could be learned about any: count their silence from now. */
  #probeAllOnRecovery(recovered: Node): void {
    const others = [...this.#nodes.values()].filter((node) => keyOf(node) !== keyOf(recovered));
    if (disruptionOf(others) !== 'full') return;
    for (const node of others) this.#probed(node.metadata?.name);
  }

  #enqueueAll(): void {
    for (const node of this.#nodes.values()) this.queue.add(keyOf(node));
  }

  #assigned(pod: Pod): void {
    const name = pod.spec?.nodeName;
    if (!name || !this.#podsMarked.has(name)) return;
    this.#podsMarked.delete(name);
    this.queue.add(name);
  }

  async #sync(name: string): Promise<void> {
    const node = this.#nodes.get(name);
    const probedAt = this.#probedAt.get(name);
    if (!node || probedAt === undefined) return;
    const health = planHealth({ node, probedAt }, this.#periods, this.#now());
    if (health.again !== undefined) this.queue.addAfter(name, health.again + 1);
    if (health.conditions) {
      const status = { ...node.status, conditions: health.conditions };
      const wasReady = readyStatus(node) === 'True';
      await this.#client.update(nodes, { ...node, status }, { subresource: 'status' });
      if (wasReady) this.#tellNotReady(node);
      // The informer's event brings this node back for its taints and pods.
      return;
    }
    const taints = planTaints(node, disruptionOf(this.#nodes.values()), this.#now());
    if (taints) {
      const { uid, resourceVersion } = node.metadata ?? {};
      const body = {
        metadata: { uid, resourceVersion },
        spec: { taints: taints.length > 0 ? taints : null },
      };
      await this.#client.patch(nodes, { name }, { type: 'merge', body });
    }
    await this.#markPods(node);
  }

  #tellNotReady(node: Node): void {
    const name = node.metadata?.name;
    this.#events.event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
  }

  /** Once each time that a node stops being ready: the kubelet, if it lives, has the last word on its pods. */
  async #markPods(node: Node): Promise<void> {
    const name = node.metadata?.name ?? '';
    const ready = readyStatus(node);
    if (ready === 'True' || ready === undefined) {
      this.#podsMarked.delete(name);
      return;
    }
    if (this.#podsMarked.has(name)) return;
    this.#podsMarked.add(name);
    const readyPods = this.#pods.byIndex(byNode, name).filter(isPodReady);
    const failures = await forEachAtOnce(readyPods, 8, (pod) => this.#markPod(pod));
    if (failures.length === 0) return;
    this.#podsMarked.delete(name);
    throw failures[0];
  }

  async #markPod(pod: Pod): Promise<void> {
    const conditions = pod.status?.conditions?.map((condition) =>
      condition.type === 'Ready'
        ? { ...condition, status: 'False', lastTransitionTime: timestamp(this.#now()) }
        : condition,
    );
    const status = { ...pod.status, conditions };
    try {
      await this.#client.update(podResource, { ...pod, status }, { subresource: 'status' });
      this.#events.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

export const nodeLifecycleController: ControllerDeclaration = {
  name: 'node-lifecycle-controller',
  aliases: ['nodelifecycle'],
  setUp: (context) => new NodeLifecycleController(context),
};
