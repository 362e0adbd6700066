import type { Node, Pod } from '../../api/types/core-v1.ts';
import { isPodTerminal } from '../common/pod-state.ts';
import { millisecondsOf } from '../common/time.ts';

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection */

/** Milliseconds that a node must be missing before its pods are taken as lost. */
export const quarantine = 40_000;

export interface PodsToCollect {
  /** Ended long ago, beyond the number that may be kept. */
  terminated: Pod[];
  /** On a node that is marked as out of service, and on their way out. */
  outOfService: Pod[];
  /** Bound to nodes that seem not to exist; to be verified. */
  orphaned: Pod[];
  /** Deleted before they were bound: no kubelet will ever confirm it. */
  unscheduled: Pod[];
}

const outOfServiceTaint = 'node.kubernetes.io/out-of-service';

const isReady = (node: Node): boolean =>
  node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

/** Sorts out the pods that nobody else will delete. */
export function planCollection(observed: {
  pods: Iterable<Pod>;
  nodeOf(name: string): Node | undefined;
  /** Terminated pods that may be kept; 0 or less: all. */
  threshold: number;
}): PodsToCollect {
  const plan: PodsToCollect = { terminated: [], outOfService: [], orphaned: [], unscheduled: [] };
  for (const pod of observed.pods) {
    const name = pod.spec?.nodeName;
    const deleting = pod.metadata?.deletionTimestamp !== undefined;
    const node = name ? observed.nodeOf(name) : undefined;
    if (isPodTerminal(pod) && !deleting) plan.terminated.push(pod);
    if (!name) {
      if (deleting) plan.unscheduled.push(pod);
    } else if (!node) plan.orphaned.push(pod);
    else if (deleting && !isReady(node) && node.spec?.taints?.some(({ key }) => key === outOfServiceTaint))
      plan.outOfService.push(pod);
  }
  const excess = observed.threshold > 0 ? plan.terminated.length - observed.threshold : 0;
  const age = (pod: Pod) => millisecondsOf(pod.metadata?.creationTimestamp) ?? 0;
  plan.terminated = excess > 0 ? plan.terminated.sort((a, b) => age(a) - age(b)).slice(0, excess) : [];
  return plan;
}
