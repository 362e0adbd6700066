import { podRequests } from '../../api/pods.ts';
import { requirement, Selector } from '../../api/selectors.ts';
import { untoleratedTaint } from '../../api/taints.ts';
import type { Node, NodeSelectorTerm, Pod } from '../../api/types/core-v1.ts';
import type { PodFailure } from '../status/pod-status.ts';

export interface AdmissionInput {
  pod: Pod;
  node: Node;
  /** Pods that the node already runs, without those that have ended. */
  others: readonly Pod[];
  allocatable: { milliCPU: number; memoryBytes: number; ephemeralStorageBytes: number; pods: number };
}

const operators = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
  Gt: 'gt',
  Lt: 'lt',
} as const;

function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const labels = node.metadata?.labels ?? {};
  const fields = { 'metadata.name': node.metadata?.name ?? '' };
  const matches = (values: Record<string, string>, list: NodeSelectorTerm['matchExpressions']) =>
    (list ?? []).every(({ key, operator, values: wanted }) => {
      const known = operators[operator as keyof typeof operators];
      return known !== undefined && new Selector([requirement(key, known, wanted ?? [])]).matches(values);
    });
  const empty = (term.matchExpressions ?? []).length + (term.matchFields ?? []).length === 0;
  return !empty && matches(labels, term.matchExpressions) && matches(fields, term.matchFields);
}

/** Whether the node is one that the pod's nodeSelector and required node affinity allow. */
function affinityMatches(pod: Pod, node: Node): boolean {
  const labels = node.metadata?.labels ?? {};
  for (const [key, value] of Object.entries(pod.spec?.nodeSelector ?? {}))
    if (labels[key] !== value) return false;
  const terms =
    pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return !terms || terms.some((term) => matchesTerm(term, node));
}

const outOf = (resource: string, requested: number, used: number, capacity: number): PodFailure => ({
  reason: `OutOf${resource}`,
  message: `Pod was rejected: Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
});

/**
 * Why the node cannot take a pod that was bound to it, as the kubelet says it; undefined: it can. Guards against
 * two binders that did not know of each other, and against pods bound by hand.
 */
export function admitPod(input: AdmissionInput): PodFailure | undefined {
  const { pod, node, others, allocatable } = input;
  if (!affinityMatches(pod, node))
    return {
      reason: 'NodeAffinity',
      message:
        "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    };
  if (untoleratedTaint(node.spec?.taints, pod.spec?.tolerations, ['NoExecute']))
    return { reason: 'TaintToleration', message: 'Pod was rejected: Predicate TaintToleration failed' };
  if (others.length + 1 > allocatable.pods) return outOf('pods', 1, others.length, allocatable.pods);
  const requests = podRequests(pod);
  const capacities = {
    cpu: allocatable.milliCPU,
    memory: allocatable.memoryBytes,
    'ephemeral-storage': allocatable.ephemeralStorageBytes,
  };
  for (const [resource, capacity] of Object.entries(capacities)) {
    const requested = requests[resource] ?? 0;
    if (requested === 0) continue;
    const used = others.reduce((sum, other) => sum + (podRequests(other)[resource] ?? 0), 0);
    if (requested + used > capacity) return outOf(resource, requested, used, capacity);
  }
  return undefined;
}
