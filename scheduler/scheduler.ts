import { findCondition } from '../api/conditions.ts';
import { isPodTerminal } from '../api/pods.ts';
import { pods } from '../api/resources.ts';
import type { Node, Pod, PodCondition } from '../api/types/core-v1.ts';
import type { ApiClient } from '../client/api-client.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { Log } from '../client/log.ts';
import { isNotFound, StatusError } from '../client/status-error.ts';
import { Cluster } from './cluster.ts';
import { Decider, refusedBy } from './decide.ts';
import type { SchedulerMetrics } from './metrics.ts';
import { type PodInfo, placementInfoOf, podInfoOf } from './pod-info.ts';
import { type QueuedPod, SchedulingQueue } from './queue.ts';
import { type Change, canHelp, looksWide, nodeChanges } from './wake.ts';

export interface SchedulerOptions {
  client: Pick<ApiClient, 'get' | 'createSub' | 'patch'>;
  recorder: Pick<EventRecorder, 'event'>;
  log: Log;
  metrics: SchedulerMetrics;
  /** Pods with another `schedulerName` are left alone. */
  schedulerName: string;
  namespaceLabels?: (name: string) => Readonly<Record<string, string>> | undefined;
  /** Milliseconds. */
  now?: () => number;
}

/** Bindings under way at once: enough to keep the API server busy, few enough to stop soon. */
const mostBindings = 64;
/** Milliseconds of deciding before other work of the process gets a turn. */
const turn = 5;
const askAgain = 1_000;

/**
 * Gives each pod a node: one pod at a time is decided, on a picture of the cluster that already counts the
 * pods decided before it, while earlier bindings are still on their way.
 *
 * Fed by `setNode`, `setPod` and so on from informers; works while it is running.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #now: () => number;
  readonly cluster: Cluster;
  readonly queue: SchedulingQueue;
  readonly #decider = new Decider();
  #bindings = 0;
  #running = false;
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #flush: NodeJS.Timeout | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.cluster = new Cluster({
      ...(options.namespaceLabels && { namespaceLabels: options.namespaceLabels }),
    });
    this.queue = new SchedulingQueue({ now: this.#now });
  }

  /** Begins to place pods; until then changes are only taken in. */
  start(): void {
    this.#running = true;
    this.#flush = setInterval(() => {
      this.queue.flush();
      this.#soon();
    }, 30_000);
    this.#soon();
  }

  stop(): void {
    this.#running = false;
    clearInterval(this.#flush);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  setNode(node: Node, old?: Node): void {
    const name = node.metadata?.name ?? '';
    const isNew = !this.cluster.node(name);
    const changes: Change[] = isNew ? ['node added'] : old ? nodeChanges(node, old) : [];
    this.cluster.setNode(node);
    for (const change of changes) this.#changed(change, name);
  }

  removeNode(node: Node): void {
    this.cluster.removeNode(node.metadata?.name ?? '');
  }

  setPod(pod: Pod, old?: Pod): void {
    if (isPodTerminal(pod)) {
      this.removePod(pod);
      return;
    }
    const nodeName = pod.spec?.nodeName;
    if (nodeName) this.#setPlaced(pod, nodeName, old);
    else this.#setWaiting(pod, old);
  }

  removePod(pod: Pod): void {
    const uid = pod.metadata?.uid ?? '';
    this.queue.remove(uid);
    const nodeName = this.cluster.remove(uid);
    if (nodeName) this.#changed('pod gone', nodeName);
  }

  #setPlaced(pod: Pod, nodeName: string, old: Pod | undefined): void {
    const info = this.#read(pod);
    if (!info) return;
    const confirmed = this.cluster.isAssumed(info.uid);
    const before = this.cluster.nodeOf(info.uid);
    this.queue.remove(info.uid);
    this.cluster.place(info, nodeName);
    if (confirmed && before === nodeName) return;
    if (before === undefined) this.#changed('pod placed', nodeName);
    else if (before !== nodeName) this.#changed('pod gone', before);
    else if (old && text(old.metadata?.labels) !== text(pod.metadata?.labels))
      this.#changed('pod labels', nodeName);
  }

  #setWaiting(pod: Pod, old: Pod | undefined): void {
    if ((pod.spec?.schedulerName || 'default-scheduler') !== this.#options.schedulerName) return;
    const uid = pod.metadata?.uid ?? '';
    // Told to end before it began: there is nothing to place.
    if (pod.metadata?.deletionTimestamp) {
      this.queue.remove(uid);
      return;
    }
    // Decided already; what is seen is the pod before its binding.
    if (this.cluster.isAssumed(uid)) return;
    const info = this.#read(pod);
    if (!info) return;
    const queued = this.queue.get(uid);
    if (!queued) this.queue.add(info, placementInfoOf(pod));
    else {
      const before = old ?? queued.info.pod;
      const matters =
        text(before.spec) !== text(pod.spec) || text(before.metadata?.labels) !== text(pod.metadata?.labels);
      this.queue.update(queued, info, placementInfoOf(pod), matters);
    }
    this.#soon();
  }

  #read(pod: Pod): PodInfo | undefined {
    try {
      return podInfoOf(pod);
    } catch (error) {
      // The API server validates pods, so this one came from elsewhere; others must not suffer from it.
      this.#options.log.error({ pod: nameOf(pod), err: (error as Error).message }, 'cannot read a pod');
      return undefined;
    }
  }

  /** Wakes the pods that a change of one node, or of the pods on it, can help. */
  #changed(change: Change, nodeName: string): void {
    const node = this.cluster.node(nodeName);
    for (const pod of this.queue.unschedulable) {
      if (!canHelp(change, pod.rejectedBy)) continue;
      const placement = { info: pod.info, wants: pod.wants, cluster: this.cluster };
      const refusal = node && refusedBy(placement, node);
      // From now on it also waits for what the node asks.
      if (refusal) pod.rejectedBy.add(refusal);
      if (looksWide(pod.rejectedBy) || (node && !refusal)) this.queue.wake(pod);
    }
    this.#soon();
  }

  /** Lets the work run once the present event has been taken in whole. */
  #soon(): void {
    if (this.#scheduled || !this.#running) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#work();
    });
  }

  #work(): void {
    if (!this.#running) return;
    const until = performance.now() + turn;
    while (this.#bindings < mostBindings) {
      const pod = this.queue.pop();
      if (!pod) break;
      this.#place(pod);
      if (performance.now() >= until) {
        this.#soon();
        return;
      }
    }
    clearTimeout(this.#timer);
    const wait = this.queue.nextBackOff;
    this.#timer = wait === undefined ? undefined : setTimeout(() => this.#work(), wait + 1);
  }

  #place(queued: QueuedPod): void {
    const began = performance.now();
    const { info, wants } = queued;
    const { metrics, log } = this.#options;
    try {
      const decision = this.#decider.decide({ info, wants, cluster: this.cluster });
      metrics.decided(decision.node ? 'scheduled' : 'unschedulable', (performance.now() - began) / 1000);
      if (decision.node) {
        this.cluster.assume(info, decision.node.name);
        void this.#bind(queued, decision.node.name);
      } else {
        this.queue.rejected(queued, decision.rejectedBy);
        log.debug({ pod: nameOf(info.pod), why: decision.message }, 'pod fits nowhere');
        void this.#report(info.pod, 'Unschedulable', decision.message);
      }
    } catch (error) {
      metrics.decided('error', (performance.now() - began) / 1000);
      log.error({ pod: nameOf(info.pod), err: error }, 'cannot decide on a pod');
      this.queue.failed(queued);
      void this.#report(info.pod, 'SchedulerError', (error as Error).message);
    }
  }

  async #bind(queued: QueuedPod, nodeName: string): Promise<void> {
    const { client, recorder, log, metrics } = this.#options;
    const { pod, uid, namespace } = queued.info;
    const name = pod.metadata?.name ?? '';
    this.#bindings++;
    const began = performance.now();
    try {
      await client.createSub(pods, { name, namespace }, 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, uid },
        target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
      });
      this.queue.remove(uid);
      metrics.bound((performance.now() - began) / 1000);
      log.debug({ pod: nameOf(pod), node: nodeName }, 'pod is bound');
      recorder.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${nameOf(pod)} to ${nodeName}`);
    } catch (error) {
      await this.#bindingFailed(queued, nodeName, error as Error);
    } finally {
      this.#bindings--;
      this.#soon();
    }
  }

  /** What became of the pod is asked, not guessed: a lost answer may belong to a binding that was made. */
  async #bindingFailed(queued: QueuedPod, nodeName: string, error: Error): Promise<void> {
    const { log } = this.#options;
    const { pod, uid } = queued.info;
    log.warn({ pod: nameOf(pod), node: nodeName, err: error.message }, 'binding failed');
    const actual = await this.#ask(pod);
    // Seen bound or deleted by the watch meanwhile: that is the truth.
    if (!this.cluster.isAssumed(uid)) return;
    if (actual?.metadata?.uid === uid && actual.spec?.nodeName) {
      this.#setPlaced(actual, actual.spec.nodeName, undefined);
      return;
    }
    this.cluster.remove(uid);
    this.#changed('pod gone', nodeName);
    if (actual?.metadata?.uid !== uid || actual.metadata.deletionTimestamp) {
      this.queue.remove(uid);
      return;
    }
    this.queue.failed(queued);
    void this.#report(pod, 'SchedulerError', `binding rejected: ${error.message}`);
  }

  /** The pod as the API server has it, undefined if it is gone; asks until there is an answer. */
  async #ask(pod: Pod): Promise<Pod | undefined> {
    const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
    while (this.cluster.isAssumed(uid)) {
      try {
        return await this.#options.client.get(pods, { name, namespace });
      } catch (error) {
        if (isNotFound(error)) return undefined;
        if (!this.#running) return pod;
        await new Promise((resolve) => setTimeout(resolve, askAgain));
      }
    }
    return undefined;
  }

  /** Tells the user why: the `PodScheduled` condition, and an Event. */
  async #report(pod: Pod, reason: 'Unschedulable' | 'SchedulerError', message: string): Promise<void> {
    const { client, recorder, log } = this.#options;
    recorder.event(pod, 'Warning', 'FailedScheduling', message);
    const before = findCondition(pod.status?.conditions, 'PodScheduled');
    if (before?.status === 'False' && before.reason === reason && before.message === message) return;
    const condition: PodCondition = {
      type: 'PodScheduled',
      status: 'False',
      reason,
      message,
      ...(before?.status !== 'False' && {
        lastTransitionTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
      }),
    };
    const { name = '', namespace = '', uid } = pod.metadata ?? {};
    try {
      await client.patch(
        pods,
        { name, namespace },
        { type: 'strategic', body: { metadata: { uid }, status: { conditions: [condition] } } },
        { subresource: 'status' },
      );
    } catch (error) {
      if (isNotFound(error)) return;
      const why = error instanceof StatusError ? error.status.message : (error as Error).message;
      log.warn({ pod: nameOf(pod), err: why }, 'cannot tell why a pod is not scheduled');
    }
  }
}

const nameOf = (pod: Pod): string => `${pod.metadata?.namespace}/${pod.metadata?.name}`;

const text = (value: unknown): string => JSON.stringify(value) ?? '';
