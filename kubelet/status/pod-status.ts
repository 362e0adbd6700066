import type { PodCondition, PodStatus } from '../../api/types/core-v1.ts';
import { podConditions } from './conditions.ts';
import { type ContainerStatusInput, containerStatus } from './container-status.ts';
import { type PodPhase, podPhase } from './phase.ts';
import { qosClass } from './qos.ts';

/** Why a pod failed as a whole, not through its containers. */
export interface PodFailure {
  reason: string;
  message: string;
}

export interface PodStatusInput extends ContainerStatusInput {
  hostIP: string;
  /** Milliseconds since the epoch. */
  now: number;
  /** Nothing runs and nothing will. */
  finished: boolean;
  /** The pod was refused, evicted or ran out of time. */
  failure?: PodFailure;
}

const rfc3339 = (now: number): string => `${new Date(now).toISOString().slice(0, 19)}Z`;

/** New conditions with the times of the old ones whose status stays; conditions of others are kept behind them. */
function withTimes(
  conditions: readonly PodCondition[],
  old: readonly PodCondition[],
  now: number,
  observedGeneration: number | undefined,
): PodCondition[] {
  const own = conditions.map((condition) => {
    const before = old.find((one) => one.type === condition.type);
    const lastTransitionTime =
      before?.status === condition.status && before.lastTransitionTime
        ? before.lastTransitionTime
        : rfc3339(now);
    return {
      ...condition,
      lastTransitionTime,
      ...(observedGeneration !== undefined && { observedGeneration }),
    };
  });
  const others = old.filter((one) => !conditions.some((condition) => condition.type === one.type));
  return [...own, ...others];
}

/**
 * A pod's whole status from what the engine has and what the API last had. Pure. A terminal phase stays.
 * https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodStatus
 */
export function buildPodStatus(input: PodStatusInput): PodStatus {
  const { pod, observed, hostIP, now, finished, failure } = input;
  const spec = pod.spec ?? { containers: [] };
  const old = pod.status ?? {};
  // Of a pod that ended and left nothing on the node, all that can be known is what the API has.
  const ended = old.phase === 'Succeeded' || old.phase === 'Failed';
  if (ended && observed.containers.length === 0) return old;
  const initStatuses = (spec.initContainers ?? []).map((container) =>
    containerStatus(input, container, true),
  );
  const statuses = spec.containers.map((container) => containerStatus(input, container, false));
  const computed = failure && finished ? 'Failed' : podPhase({ spec, initStatuses, statuses, finished });
  const phase = ended ? (old.phase as PodPhase) : computed;
  const sandbox = observed.sandboxes.find((one) => one.state === 'running');
  const podIP = spec.hostNetwork ? hostIP : (sandbox?.ip ?? old.podIP);
  const sandboxReady = sandbox !== undefined && (spec.hostNetwork === true || sandbox.ip !== undefined);
  const existing = old.conditions ?? [];
  const conditions = podConditions({ spec, phase, initStatuses, statuses, sandboxReady, existing });
  const generation = pod.metadata?.generation;
  const why = failure && phase === 'Failed' ? failure : phase === old.phase ? old : undefined;
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    phase,
    conditions: withTimes(conditions, existing, now, generation),
    ...(why?.reason && { reason: why.reason }),
    ...(why?.message && { message: why.message }),
    hostIP,
    hostIPs: [{ ip: hostIP }],
    ...(podIP && { podIP, podIPs: [{ ip: podIP }] }),
    startTime: old.startTime ?? rfc3339(now),
    ...(initStatuses.length > 0 && { initContainerStatuses: initStatuses }),
    containerStatuses: statuses,
    qosClass: old.qosClass ?? qosClass(spec),
  };
}

/** The status of a pod that the node refuses: it never had a container. */
export function rejectedPodStatus(pod: PodStatusInput['pod'], failure: PodFailure, now: number): PodStatus {
  return {
    ...(pod.metadata?.generation !== undefined && { observedGeneration: pod.metadata.generation }),
    phase: 'Failed',
    reason: failure.reason,
    message: failure.message,
    startTime: pod.status?.startTime ?? rfc3339(now),
    ...(pod.status?.conditions && { conditions: pod.status.conditions }),
    qosClass: pod.status?.qosClass ?? qosClass(pod.spec ?? { containers: [] }),
  };
}
