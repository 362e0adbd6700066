import { Heap } from './heap.ts';
import type { FilterName } from './plugin.ts';
import type { PlacementInfo, PodInfo } from './pod-info.ts';

/** Milliseconds. */
export const queueTimes = {
  /** Wait after the first failed attempt; it doubles with each further one up to the longest. */
  firstBackOff: 1_000,
  longestBackOff: 10_000,
  /** A pod that nothing has woken for this long is tried anyway. */
  flush: 300_000,
};

type Place = 'active' | 'backOff' | 'unschedulable' | 'gated' | 'attempted';

/** A pod that waits for a node. */
export interface QueuedPod {
  info: PodInfo;
  wants: PlacementInfo;
  attempts: number;
  /** When it came into its present place, in milliseconds. */
  since: number;
  /** The filters that refused it somewhere: they decide which changes can help. */
  rejectedBy: Set<FilterName>;
  place: Place;
}

interface Entry {
  pod: QueuedPod;
  /** Order: when it first came, or when its back-off ends. */
  at: number;
}

/**
 * The pods that wait for a node: ready to be tried (active), resting after a failure (back-off), waiting for the
 * cluster to change (unschedulable), or held by their scheduling gates.
 *
 * Invariant: a pod is in exactly one place; heap entries of pods that have left are skipped when they surface.
 */
export class SchedulingQueue {
  readonly #now: () => number;
  readonly #pods = new Map<string, QueuedPod>();
  readonly #active = new Heap<Entry>(
    (a, b) =>
      a.pod.info.priority > b.pod.info.priority ||
      (a.pod.info.priority === b.pod.info.priority && a.at < b.at),
  );
  readonly #backOff = new Heap<Entry>((a, b) => a.at < b.at);
  readonly #unschedulable = new Set<QueuedPod>();
  #order = 0;

  /** `now` in milliseconds. */
  constructor(options: { now: () => number }) {
    this.#now = options.now;
  }

  get(uid: string): QueuedPod | undefined {
    return this.#pods.get(uid);
  }

  get counts(): Record<Place, number> {
    const counts: Record<Place, number> = { active: 0, backOff: 0, unschedulable: 0, gated: 0, attempted: 0 };
    for (const pod of this.#pods.values()) counts[pod.place]++;
    return counts;
  }

  get unschedulable(): Iterable<QueuedPod> {
    return this.#unschedulable;
  }

  /** A new pod. */
  add(info: PodInfo, wants: PlacementInfo): void {
    const pod: QueuedPod = {
      info,
      wants,
      attempts: 0,
      since: this.#now(),
      rejectedBy: new Set(),
      place: 'gated',
    };
    this.#pods.set(info.uid, pod);
    if (!isGated(info)) this.#activate(pod);
  }

  /** The pod's object has changed; `matters` when the change may let it be placed. */
  update(pod: QueuedPod, info: PodInfo, wants: PlacementInfo, matters: boolean): void {
    const priorityChanged = pod.info.priority !== info.priority;
    pod.info = info;
    pod.wants = wants;
    if (pod.place === 'gated') {
      if (!isGated(info)) this.#activate(pod);
    } else if (pod.place === 'unschedulable' && matters) this.wake(pod);
    else if (pod.place === 'active' && priorityChanged) this.#activate(pod);
  }

  remove(uid: string): void {
    const pod = this.#pods.get(uid);
    if (!pod) return;
    this.#pods.delete(uid);
    this.#unschedulable.delete(pod);
    pod.place = 'attempted';
  }

  /** The next pod to try, by priority and then by age; undefined when none is ready. */
  pop(): QueuedPod | undefined {
    this.#endBackOffs();
    for (let entry = this.#active.pop(); entry; entry = this.#active.pop()) {
      const { pod } = entry;
      if (pod.place !== 'active' || this.#pods.get(pod.info.uid) !== pod) continue;
      pod.place = 'attempted';
      pod.attempts++;
      return pod;
    }
    return undefined;
  }

  /** No node took the pod: it waits until the cluster changes in a way that may help. */
  rejected(pod: QueuedPod, by: ReadonlySet<FilterName>): void {
    if (this.#pods.get(pod.info.uid) !== pod) return;
    pod.rejectedBy = new Set(by);
    pod.place = 'unschedulable';
    pod.since = this.#now();
    this.#unschedulable.add(pod);
  }

  /** An attempt failed for no fault of the cluster: it is made again after the back-off. */
  failed(pod: QueuedPod): void {
    if (this.#pods.get(pod.info.uid) !== pod) return;
    pod.since = this.#now();
    this.#rest(pod);
  }

  /** The cluster has changed so that the pod may fit: it is tried when its back-off is over. */
  wake(pod: QueuedPod): void {
    if (pod.place !== 'unschedulable') return;
    this.#unschedulable.delete(pod);
    if (this.#backOffEnd(pod) > this.#now()) this.#rest(pod);
    else this.#activate(pod);
  }

  /** Wakes pods that nothing has woken for long. */
  flush(): void {
    const before = this.#now() - queueTimes.flush;
    for (const pod of this.#unschedulable) if (pod.since <= before) this.wake(pod);
  }

  /** Milliseconds until the next back-off ends; undefined when none runs. */
  get nextBackOff(): number | undefined {
    const first = this.#backOff.peek();
    return first ? Math.max(0, first.at - this.#now()) : undefined;
  }

  #activate(pod: QueuedPod): void {
    pod.place = 'active';
    this.#active.push({ pod, at: this.#order++ });
  }

  #rest(pod: QueuedPod): void {
    pod.place = 'backOff';
    this.#backOff.push({ pod, at: this.#backOffEnd(pod) });
  }

  #backOffEnd(pod: QueuedPod): number {
    const doubled = queueTimes.firstBackOff * 2 ** Math.min(pod.attempts - 1, 10);
    return pod.since + (pod.attempts ? Math.min(doubled, queueTimes.longestBackOff) : 0);
  }

  #endBackOffs(): void {
    const now = this.#now();
    for (let first = this.#backOff.peek(); first && first.at <= now; first = this.#backOff.peek()) {
      this.#backOff.pop();
      const { pod } = first;
      if (pod.place === 'backOff' && this.#pods.get(pod.info.uid) === pod) this.#activate(pod);
    }
  }
}

const isGated = (info: PodInfo): boolean => (info.pod.spec?.schedulingGates?.length ?? 0) > 0;
