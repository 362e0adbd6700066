import { findCondition } from '../../api/conditions.ts';
import type { Node, NodeCondition, Taint } from '../../api/types/core-v1.ts';
import { millisecondsOf, timestamp } from '../common/time.ts';

/** https://kubernetes.io/docs/concepts/architecture/nodes/#node-controller */

export const notReadyTaint = 'node.kubernetes.io/not-ready';
export const unreachableTaint = 'node.kubernetes.io/unreachable';
const unschedulableTaint = 'node.kubernetes.io/unschedulable';

/** Which state of a condition keeps new pods away, and by which taint. */
const conditionTaints: Record<string, Record<string, string>> = {
  Ready: { False: notReadyTaint, Unknown: unreachableTaint },
  MemoryPressure: { True: 'node.kubernetes.io/memory-pressure' },
  DiskPressure: { True: 'node.kubernetes.io/disk-pressure' },
  PIDPressure: { True: 'node.kubernetes.io/pid-pressure' },
  NetworkUnavailable: { True: 'node.kubernetes.io/network-unavailable' },
};

const ownNoSchedule = new Set([
  unschedulableTaint,
  ...Object.values(conditionTaints).flatMap((states) => Object.values(states)),
]);

const isOwn = ({ key, effect }: Taint) =>
  effect === 'NoSchedule'
    ? ownNoSchedule.has(key)
    : effect === 'NoExecute' && (key === notReadyTaint || key === unreachableTaint);

export const readyStatus = (node: Node): string | undefined =>
  findCondition(node.status?.conditions, 'Ready')?.status;

/** How the cluster's nodes stand together: when too many fail at once, it is the network, and nothing is evicted. */
export type Disruption = 'none' | 'partial' | 'full';

/**
 * `full`: no node is ready, so this process is the one that is cut off; no node keeps or gets an eviction taint.
 * `partial`: more than two nodes and at least 55 % are not ready in a cluster of up to 50; none is newly tainted.
 */
export function disruptionOf(nodes: Iterable<Node>): Disruption {
  let ready = 0;
  let unready = 0;
  for (const node of nodes) {
    const status = readyStatus(node);
    if (status === 'True') ready++;
    else if (status !== undefined) unready++;
  }
  if (ready === 0 && unready > 0) return 'full';
  const share = unready / (ready + unready);
  return unready > 2 && share >= 0.55 && ready + unready <= 50 ? 'partial' : 'none';
}

function noExecuteTaint(node: Node, disruption: Disruption): string | undefined {
  if (disruption === 'full') return undefined;
  const status = readyStatus(node);
  const wanted = status === 'False' ? notReadyTaint : status === 'Unknown' ? unreachableTaint : undefined;
  const tainted = node.spec?.taints?.some((taint) => taint.effect === 'NoExecute' && isOwn(taint));
  return disruption === 'partial' && !tainted ? undefined : wanted;
}

/** The taints that the node is to have, or undefined if it has them. Foreign taints stay as they are. */
export function planTaints(node: Node, disruption: Disruption, now: number): Taint[] | undefined {
  const wanted: Taint[] = [];
  for (const { type, status } of node.status?.conditions ?? []) {
    const key = conditionTaints[type]?.[status];
    if (key) wanted.push({ key, effect: 'NoSchedule' });
  }
  if (node.spec?.unschedulable) wanted.push({ key: unschedulableTaint, effect: 'NoSchedule' });
  const execute = noExecuteTaint(node, disruption);
  if (execute) wanted.push({ key: execute, effect: 'NoExecute' });

  const present = node.spec?.taints ?? [];
  const same = (a: Taint, b: Taint) => a.key === b.key && a.effect === b.effect;
  // Before the kubelet's first status its own initial not-ready taint must stay.
  const judged = readyStatus(node) !== undefined;
  const kept = present.filter(
    (taint) =>
      !isOwn(taint) ||
      wanted.some((item) => same(item, taint)) ||
      (!judged && taint.key === notReadyTaint && taint.effect === 'NoSchedule'),
  );
  const added = wanted.filter((item) => !present.some((taint) => same(item, taint)));
  if (added.length === 0 && kept.length === present.length) return undefined;
  return [...kept, ...added.map((taint) => ({ ...taint, timeAdded: timestamp(now) }))];
}

export interface ObservedNode {
  node: Node;
  /** When a sign of life was last seen, by this process' clock: a renewed Lease or a new heartbeat. */
  probedAt: number;
}

export interface GracePeriods {
  /** Milliseconds of silence before a node is marked; for one that never posted its status, `startup`. */
  monitor: number;
  startup: number;
}

export interface HealthPlan {
  /** The conditions to store, if the node must be marked. */
  conditions?: NodeCondition[];
  /** Milliseconds until silence would become too long. */
  again?: number;
}

const judgedTypes = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

/** Marks a node that has been silent for too long: what it last said about itself is not known to be true. */
export function planHealth(observed: ObservedNode, periods: GracePeriods, now: number): HealthPlan {
  const { node, probedAt } = observed;
  const posted = readyStatus(node) !== undefined;
  const since = posted
    ? probedAt
    : Math.max(probedAt, millisecondsOf(node.metadata?.creationTimestamp) ?? probedAt);
  const left = since + (posted ? periods.monitor : periods.startup) - now;
  if (left > 0) return { again: left };
  const conditions = [...(node.status?.conditions ?? [])];
  let changed = false;
  for (const type of judgedTypes) {
    const index = conditions.findIndex((condition) => condition.type === type);
    const before = conditions[index];
    if (before?.status === 'Unknown') continue;
    changed = true;
    const transition = timestamp(now);
    if (before)
      conditions[index] = {
        ...before,
        status: 'Unknown',
        reason: 'NodeStatusUnknown',
        message: 'Kubelet stopped posting node status.',
        lastTransitionTime: transition,
      };
    else
      conditions.push({
        type,
        status: 'Unknown',
        reason: 'NodeStatusNeverUpdated',
        message: 'Kubelet never posted node status.',
        lastHeartbeatTime: node.metadata?.creationTimestamp,
        lastTransitionTime: transition,
      });
  }
  return changed ? { conditions } : {};
}
