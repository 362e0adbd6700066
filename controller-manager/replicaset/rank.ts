import type { Pod } from '../../api/types/core-v1.ts';
import { isPodReady, maxContainerRestarts, readySince } from '../common/pod-state.ts';
import { millisecondsOf } from '../common/time.ts';

/**
 * In which order a controller gives up pods when it scales down.
 * https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset
 */

const deletionCost = 'controller.kubernetes.io/pod-deletion-cost';

const phaseRank: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };

function costOf(pod: Pod): number {
  const text = pod.metadata?.annotations?.[deletionCost];
  return text !== undefined && /^(0|-?[1-9]\d*)$/.test(text) ? Number(text) : 0;
}

/**
 * Compares two times by the power of two of their age: among pods of about the same age none is preferred.
 * Negative if `a` is to go first (the younger one does); absent times go first.
 */
function byAge(a: number | undefined, b: number | undefined, now: number): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  const magnitude = (time: number) => (now - time <= 0 ? -1 : Math.floor(Math.log2((now - time) * 1e6)));
  return magnitude(a) - magnitude(b);
}

const byUID = (a: Pod, b: Pod) => ((a.metadata?.uid ?? '') < (b.metadata?.uid ?? '') ? -1 : 1);

/** Negative if `a` is given up before `b`. `neighbours` counts the related pods on a pod's node. */
export function compareVictims(a: Pod, b: Pod, neighbours: (pod: Pod) => number, now: number): number {
  const unassigned = Number(Boolean(a.spec?.nodeName)) - Number(Boolean(b.spec?.nodeName));
  if (unassigned) return unassigned;
  const phase = (phaseRank[a.status?.phase ?? ''] ?? 0) - (phaseRank[b.status?.phase ?? ''] ?? 0);
  if (phase) return phase;
  const ready = Number(isPodReady(a)) - Number(isPodReady(b));
  if (ready) return ready;
  const cost = costOf(a) - costOf(b);
  if (cost) return cost;
  const crowd = neighbours(b) - neighbours(a);
  if (crowd) return crowd;
  if (isPodReady(a) && readySince(a) !== readySince(b))
    return byAge(readySince(a), readySince(b), now) || byUID(a, b);
  const left = maxContainerRestarts(a);
  const right = maxContainerRestarts(b);
  if (left.regular !== right.regular) return right.regular - left.regular;
  if (left.sidecar !== right.sidecar) return right.sidecar - left.sidecar;
  const created = [a, b].map((pod) => millisecondsOf(pod.metadata?.creationTimestamp));
  if (created[0] !== created[1]) return byAge(created[0], created[1], now) || byUID(a, b);
  return 0;
}

/**
 * The `count` pods of `pods` to give up. `related` are the active pods of all controllers with the same owner
 * (all ReplicaSets of a Deployment): nodes that carry more of them lose pods first.
 */
export function victims(options: {
  pods: readonly Pod[];
  related: Iterable<Pod>;
  count: number;
  now: number;
}): Pod[] {
  const { pods, count, now } = options;
  if (count >= pods.length) return [...pods];
  const onNode = new Map<string, number>();
  for (const pod of options.related) {
    const node = pod.spec?.nodeName ?? '';
    onNode.set(node, (onNode.get(node) ?? 0) + 1);
  }
  const neighbours = (pod: Pod) => onNode.get(pod.spec?.nodeName ?? '') ?? 0;
  return [...pods].sort((a, b) => compareVictims(a, b, neighbours, now)).slice(0, count);
}
