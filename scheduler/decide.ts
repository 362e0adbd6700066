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

/** Decides on one pod after another; keeps only room to calculate in. */
export class Decider {
  readonly #feasible: NodeInfo[] = [];
  #totals = new Float64Array(0);
  #points = new Float64Array(0);

  /** Chooses the node for a pod: the best of those that pass all filters; of equals, the first by name. */
  decide(placement: Placement): Decision {
    const { nodes } = placement.cluster;
    const active = nodeFilters(placement);
    const feasible = this.#feasible;
    feasible.length = 0;
    let misfit: Misfit | undefined;
    const rejectedBy = new Set<FilterName>();
    for (const node of nodes) {
      const rejected = firstRejection(active, node);
      if (!rejected) {
        feasible.push(node);
        continue;
      }
      misfit ??= new Misfit();
      misfit.add(rejected.why);
      rejectedBy.add(rejected.name);
    }
    if (feasible.length) return { node: this.#best(placement) };
    const never = placement.info.pod.spec?.preemptionPolicy === 'Never';
    return { message: fitMessage(nodes.length, misfit ?? new Misfit(), { never }), rejectedBy };
  }

  #best(placement: Placement): NodeInfo {
    const feasible = this.#feasible;
    if (feasible.length === 1) return feasible[0]!;
    if (this.#totals.length < feasible.length) {
      this.#totals = new Float64Array(placement.cluster.nodes.length);
      this.#points = new Float64Array(placement.cluster.nodes.length);
    }
    const [totals, points] = [this.#totals, this.#points];
    totals.fill(0);
    for (const { score, weight } of scores) {
      const write = score(placement);
      if (!write) continue;
      write(feasible, points);
      for (let i = 0; i < feasible.length; i++) totals[i] = totals[i]! + weight * points[i]!;
    }
    let winner = 0;
    for (let i = 1; i < feasible.length; i++) if (totals[i]! > totals[winner]!) winner = i;
    return feasible[winner]!;
  }
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

/** How many nodes refused a pod for each reason. */
export class Misfit {
  readonly reasons = new Map<string, number>();
  /** Nodes that would not take the pod even without other pods. */
  helpless = 0;

  add(why: Rejection): void {
    for (const reason of why.reasons) this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
    if (!why.resolvable) this.helpless++;
  }
}

/** Kubernetes' wording of why a pod fits nowhere; `never`: the pod does not want others evicted. */
export function fitMessage(nodes: number, misfit: Misfit, { never }: { never: boolean }): string {
  if (!nodes) return 'no nodes available to schedule pods';
  const { helpless } = misfit;
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
  return `${head} ${listed(misfit.reasons)}. preemption: ${preemption}`;
}
