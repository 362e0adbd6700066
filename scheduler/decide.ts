import { filters } from './filters.ts';
import type { NodeInfo } from './node-info.ts';
import { type FilterName, filterNames, type Placement, type Rejection } from './plugin.ts';
import { scores } from './scores.ts';

/** Where a pod goes, or why it goes nowhere. */
export type Decision =
  | { readonly node: NodeInfo }
  | {
      readonly node?: undefined;
      /** Kubernetes' words for the `PodScheduled` condition and the event. */
      readonly message: string;
      /** The filters that rejected it somewhere. */
      readonly rejectedBy: ReadonlySet<FilterName>;
    };

type NodeFilter = { name: FilterName; check: (node: NodeInfo) => Rejection | undefined };

function nodeFilters(placement: Placement): NodeFilter[] {
  const active: NodeFilter[] = [];
  for (const name of filterNames) {
    const check = filters[name](placement);
    if (check) active.push({ name, check });
  }
  return active;
}

/** Chooses the node for a pod: the best of those that pass all filters; of equals, the first by name. */
export function decide(placement: Placement): Decision {
  const { nodes } = placement.cluster;
  const active = nodeFilters(placement);
  const feasible: NodeInfo[] = [];
  const reasons = new Map<string, number>();
  const rejectedBy = new Set<FilterName>();
  let helpless = 0;
  for (const node of nodes) {
    const rejected = firstRejection(active, node);
    if (!rejected) {
      feasible.push(node);
      continue;
    }
    rejectedBy.add(rejected.name);
    for (const reason of rejected.why.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    if (!rejected.why.resolvable) helpless++;
  }
  if (feasible.length) return { node: best(placement, feasible) };
  const never = placement.info.pod.spec?.preemptionPolicy === 'Never';
  return { message: fitMessage({ nodes: nodes.length, reasons, helpless, never }), rejectedBy };
}

/** The filter by which one node refuses the pod now, undefined if it takes it: what a change of that node means. */
export const refusedBy = (placement: Placement, node: NodeInfo): FilterName | undefined =>
  firstRejection(nodeFilters(placement), node)?.name;

function firstRejection(active: readonly NodeFilter[], node: NodeInfo) {
  for (const { name, check } of active) {
    const why = check(node);
    if (why) return { name, why };
  }
  return undefined;
}

function best(placement: Placement, feasible: readonly NodeInfo[]): NodeInfo {
  if (feasible.length === 1) return feasible[0]!;
  const totals = new Float64Array(feasible.length);
  for (const { score, weight } of scores) {
    const points = score(placement)?.(feasible);
    if (points) for (let i = 0; i < totals.length; i++) totals[i]! += weight * points[i]!;
  }
  let winner = 0;
  for (let i = 1; i < totals.length; i++) if (totals[i]! > totals[winner]!) winner = i;
  return feasible[winner]!;
}

interface Misfit {
  nodes: number;
  /** How many nodes gave each reason. */
  reasons: ReadonlyMap<string, number>;
  /** Nodes that would not take the pod even without other pods. */
  helpless: number;
  /** The pod does not want others evicted. */
  never: boolean;
}

/** Kubernetes' wording of why a pod fits nowhere. */
export function fitMessage({ nodes, reasons, helpless, never }: Misfit): string {
  if (!nodes) return 'no nodes available to schedule pods';
  const head = `0/${nodes} nodes are available:`;
  const listed = (counts: Iterable<readonly [string, number]>) =>
    [...counts]
      .filter(([, count]) => count)
      .map(([reason, count]) => `${count} ${reason}`)
      .sort()
      .join(', ');
  const preemption = never
    ? 'not eligible due to preemptionPolicy=Never.'
    : `${head} ${listed([
        ['No preemption victims found for incoming pod', nodes - helpless],
        ['Preemption is not helpful for scheduling', helpless],
      ])}.`;
  return `${head} ${listed(reasons)}. preemption: ${preemption}`;
}
