import type { Cluster } from './cluster.ts';
import type { NodeInfo } from './node-info.ts';
import type { PlacementInfo, PodInfo } from './pod-info.ts';

/** The filters, in the order in which they run. Names are Kubernetes' own. */
export const filterNames = [
  'NodeUnschedulable',
  'NodeName',
  'TaintToleration',
  'NodeAffinity',
  'NodePorts',
  'NodeResourcesFit',
  'PodTopologySpread',
  'InterPodAffinity',
] as const;

export type FilterName = (typeof filterNames)[number];

/** Why a node does not take a pod. */
export interface Rejection {
  readonly reasons: readonly string[];
  /** Whether the node could take the pod if other pods were gone. */
  readonly resolvable: boolean;
}

/** The pod that is being placed and the cluster that it is placed in. */
export interface Placement {
  readonly info: PodInfo;
  readonly wants: PlacementInfo;
  readonly cluster: Cluster;
}

/**
 * Looks at the pod once and gives what is asked of each node, or undefined when the pod does not care.
 * The function answers undefined for a node that will do.
 */
export type Filter = (placement: Placement) => ((node: NodeInfo) => Rejection | undefined) | undefined;

/**
 * Looks at the pod once and gives what writes the points of feasible nodes, from 0 to 100, at their places;
 * undefined when the pod does not care. The array is at least as long as `nodes` and holds old values.
 */
export type Score = (
  placement: Placement,
) => ((nodes: readonly NodeInfo[], points: Float64Array) => void) | undefined;

/** Gives the largest of the first `count` points 100 and the others in proportion; all 0 stay 0. */
export function scaleToMost(points: Float64Array, count: number): void {
  let most = 0;
  for (let i = 0; i < count; i++) most = Math.max(most, points[i]!);
  if (most) for (let i = 0; i < count; i++) points[i] = Math.floor((100 * points[i]!) / most);
}
