import type { Node, Taint } from '../api/types/core-v1.ts';
import type { FilterName } from './plugin.ts';

/** What has changed in the cluster, as far as it can let a waiting pod fit. */
export type Change =
  | 'node added'
  | 'node resources'
  | 'node labels'
  | 'node taints'
  | 'pod placed'
  | 'pod gone'
  | 'pod labels';

/** For each filter the changes that can turn its refusal (Kubernetes' queueing hints). */
const wakes: Readonly<Record<FilterName, readonly Change[]>> = {
  NodeUnschedulable: ['node added', 'node taints'],
  NodeName: ['node added'],
  TaintToleration: ['node added', 'node taints'],
  NodeAffinity: ['node added', 'node labels'],
  NodePorts: ['node added', 'pod gone'],
  NodeResourcesFit: ['node added', 'node resources', 'pod gone'],
  PodTopologySpread: ['node added', 'node labels', 'node taints', 'pod placed', 'pod gone', 'pod labels'],
  InterPodAffinity: ['node added', 'node labels', 'pod placed', 'pod gone', 'pod labels'],
};

/** Whether a change can help a pod that these filters rejected. A pod rejected by none waits for a first node. */
export function canHelp(change: Change, rejectedBy: ReadonlySet<FilterName>): boolean {
  if (!rejectedBy.size) return change === 'node added';
  for (const name of rejectedBy) if (wakes[name].includes(change)) return true;
  return false;
}

/** Filters whose answer for one node depends on other nodes: looking at the changed node alone is not enough. */
const wide: readonly FilterName[] = ['PodTopologySpread', 'InterPodAffinity'];

export const looksWide = (rejectedBy: ReadonlySet<FilterName>): boolean =>
  wide.some((name) => rejectedBy.has(name));

const same = (
  a: Readonly<Record<string, string>> = {},
  b: Readonly<Record<string, string>> = {},
): boolean => {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
};

const taintText = (taints: readonly Taint[] | undefined) =>
  JSON.stringify((taints ?? []).map(({ key, value, effect }) => [key, value, effect]));

/** What an update of a node has changed: most, such as heartbeats, change nothing here. */
export function nodeChanges(node: Node, old: Node): Change[] {
  const changes: Change[] = [];
  if (!same(node.status?.allocatable, old.status?.allocatable)) changes.push('node resources');
  if (!same(node.metadata?.labels, old.metadata?.labels)) changes.push('node labels');
  const unschedulable = (item: Node) => item.spec?.unschedulable === true;
  if (
    taintText(node.spec?.taints) !== taintText(old.spec?.taints) ||
    unschedulable(node) !== unschedulable(old)
  )
    changes.push('node taints');
  return changes;
}
