import { untoleratedTaint } from '../api/taints.ts';
import { matchesNodeAffinity } from './node-affinity.ts';
import type { NodeInfo } from './node-info.ts';
import type { Filter, Placement, Rejection, Score } from './plugin.ts';
import type { SpreadConstraint } from './pod-info.ts';

const tooSkewed: Rejection = {
  reasons: ["node(s) didn't match pod topology spread constraints"],
  resolvable: true,
};
const noLabel: Rejection = {
  reasons: ["node(s) didn't match pod topology spread constraints (missing required label)"],
  resolvable: false,
};

/** Whether pods on the node count for a constraint. */
function counts(constraint: SpreadConstraint, { info, wants }: Placement, node: NodeInfo): boolean {
  if (constraint.honorAffinity && !matchesNodeAffinity(wants, node)) return false;
  return (
    !constraint.honorTaints ||
    !untoleratedTaint(node.hardTaints, info.tolerations, ['NoSchedule', 'NoExecute'])
  );
}

function matchingPods(constraint: SpreadConstraint, namespace: string, node: NodeInfo): number {
  let matching = 0;
  for (const other of node.pods.values())
    if (
      other.namespace === namespace &&
      !other.pod.metadata?.deletionTimestamp &&
      constraint.selector.matches(other.labels)
    )
      matching++;
  return matching;
}

/** Matching pods in each domain of each constraint; only nodes with the labels of all constraints count. */
function domainsOf(placement: Placement, constraints: readonly SpreadConstraint[]): Map<string, number>[] {
  const domains = constraints.map(() => new Map<string, number>());
  for (const node of placement.cluster.nodes) {
    if (!constraints.every(({ topologyKey }) => node.labels[topologyKey] !== undefined)) continue;
    for (const [index, constraint] of constraints.entries()) {
      if (!counts(constraint, placement, node)) continue;
      const domain = node.labels[constraint.topologyKey]!;
      const matching = matchingPods(constraint, placement.info.namespace, node);
      domains[index]!.set(domain, (domains[index]!.get(domain) ?? 0) + matching);
    }
  }
  return domains;
}

/**
 * Spread constraints with `DoNotSchedule`.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
 */
export const filterTopologySpread: Filter = (placement) => {
  const constraints = placement.wants.spread;
  if (!constraints.length) return undefined;
  const domains = domainsOf(placement, constraints);
  const least = constraints.map((constraint, index) => {
    const found = domains[index]!;
    // Fewer domains than asked for count as one more that is empty.
    return found.size < constraint.minDomains ? 0 : Math.min(...found.values());
  });
  const self = constraints.map((constraint) => (constraint.selector.matches(placement.info.labels) ? 1 : 0));
  return (node) => {
    for (const [index, constraint] of constraints.entries()) {
      const domain = node.labels[constraint.topologyKey];
      if (domain === undefined) return noLabel;
      const matching = domains[index]!.get(domain) ?? 0;
      if (matching + self[index]! - least[index]! > constraint.maxSkew) return tooSkewed;
    }
    return undefined;
  };
};

/** Spread constraints with `ScheduleAnyway`: the fewer matching pods in the node's domains, the better. */
export const scoreTopologySpread: Score = (placement) => {
  const constraints = placement.wants.preferredSpread;
  if (!constraints.length) return undefined;
  const domains = domainsOf(placement, constraints);
  return (nodes, points) => {
    const sums = nodes.map((node) => {
      let sum = 0;
      for (const [index, constraint] of constraints.entries()) {
        const domain = node.labels[constraint.topologyKey];
        if (domain === undefined) return undefined;
        // Many domains weigh more: being uneven over them is worse (Kubernetes weighs by their logarithm).
        const weight = Math.log(domains[index]!.size + 2);
        sum += (domains[index]!.get(domain) ?? 0) * weight + constraint.maxSkew - 1;
      }
      return sum;
    });
    const known = sums.filter((sum) => sum !== undefined);
    const [least, most] = [Math.min(...known), Math.max(...known)];
    for (const [i, sum] of sums.entries())
      points[i] = sum === undefined ? 0 : most === 0 ? 100 : Math.floor((100 * (most + least - sum)) / most);
  };
};
