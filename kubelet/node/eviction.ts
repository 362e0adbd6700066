import { podRequests } from '../../api/pods.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { PodFailure } from '../status/pod-status.ts';
import { memoryThreshold } from './node-status.ts';

/** A pod that could be evicted and the memory that it uses now, in bytes. */
export interface EvictionCandidate {
  pod: Pod;
  memoryBytes: number;
}

const excess = ({ pod, memoryBytes }: EvictionCandidate): number =>
  memoryBytes - (podRequests(pod).memory ?? 0);

/** Pods that the node cannot do without. https://kubernetes.io/docs/tasks/administer-cluster/guaranteed-scheduling-critical-addon-pods/ */
const systemCritical = 2_000_000_000;

/**
 * The pod to evict when memory runs out: one that uses more than it asked for goes before one that does not, then
 * the lowest priority, then the largest excess. Critical pods stay.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#pod-selection-for-kubelet-eviction
 */
export function pickEviction(candidates: readonly EvictionCandidate[]): EvictionCandidate | undefined {
  const priority = ({ pod }: EvictionCandidate) => pod.spec?.priority ?? 0;
  return candidates
    .filter((one) => priority(one) < systemCritical)
    .toSorted(
      (a, b) =>
        Number(excess(b) > 0) - Number(excess(a) > 0) || priority(a) - priority(b) || excess(b) - excess(a),
    )[0];
}

/** What an evicted pod's status says. */
export function evictionFailure(availableBytes: number): PodFailure {
  const available = `${Math.floor(availableBytes / 1024)}Ki`;
  return {
    reason: 'Evicted',
    message: `The node was low on resource: memory. Threshold quantity: ${memoryThreshold / 2 ** 20}Mi, available: ${available}. `,
  };
}

export interface EvictorOptions {
  candidates(): Promise<EvictionCandidate[]>;
  /** Ends the pod at once; resolves when nothing of it runs. */
  evict(pod: Pod, failure: PodFailure): Promise<void>;
}

/** Evicts pods while memory is short: one at a time, and the next only after a new look at the node. */
export class Evictor {
  readonly #options: EvictorOptions;
  #busy = false;

  constructor(options: EvictorOptions) {
    this.#options = options;
  }

  /** Memory is short: evicts one pod, unless an eviction is under way. */
  async relieve(availableBytes: number): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const chosen = pickEviction(await this.#options.candidates());
      if (chosen) await this.#options.evict(chosen.pod, evictionFailure(availableBytes));
    } finally {
      this.#busy = false;
    }
  }
}
