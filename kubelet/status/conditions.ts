import type { ContainerStatus, PodCondition, PodSpec } from '../../api/types/core-v1.ts';
import type { PodPhase } from './phase.ts';

type Verdict = Pick<PodCondition, 'status' | 'reason' | 'message'>;

export interface ConditionsInput {
  spec: PodSpec;
  phase: PodPhase;
  initStatuses: readonly ContainerStatus[];
  statuses: readonly ContainerStatus[];
  /** Its namespaces exist and, unless it uses the host's network, it has an address. */
  sandboxReady: boolean;
  /** Conditions of the pod that others set, for readiness gates. */
  existing: readonly PodCondition[];
}

const named = (names: readonly string[]): string => `[${names.join(' ')}]`;

function initialized({ spec, phase, initStatuses, statuses }: ConditionsInput): Verdict {
  if (phase === 'Succeeded') return { status: 'True', reason: 'PodCompleted' };
  if (statuses.some(({ state, lastState }) => state?.running || state?.terminated || lastState?.terminated))
    return { status: 'True' };
  const incomplete = (spec.initContainers ?? []).filter((container) => {
    const status = initStatuses.find((one) => one.name === container.name);
    return container.restartPolicy === 'Always' ? !status?.started : !status?.ready;
  });
  if (incomplete.length === 0) return { status: 'True' };
  return {
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: ${named(incomplete.map((container) => container.name))}`,
  };
}

function containersReady({ spec, phase, initStatuses, statuses }: ConditionsInput): Verdict {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const sidecars = (spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  const all = [...initStatuses, ...statuses];
  const unready = [...sidecars, ...spec.containers].filter(
    (container) => !all.find((status) => status.name === container.name)?.ready,
  );
  if (unready.length === 0) return { status: 'True' };
  return {
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: ${named(unready.map((container) => container.name))}`,
  };
}

function ready(input: ConditionsInput, containers: Verdict): Verdict {
  if (containers.status !== 'True') return containers;
  const problems = (input.spec.readinessGates ?? []).flatMap(({ conditionType }) => {
    const condition = input.existing.find((one) => one.type === conditionType);
    if (!condition)
      return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    if (condition.status === 'True') return [];
    return [`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`];
  });
  if (problems.length === 0) return { status: 'True' };
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: problems.join(', ') };
}

/**
 * The conditions that the kubelet owns, in the kubelet's order, without times.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions
 */
export function podConditions(input: ConditionsInput): PodCondition[] {
  const containers = containersReady(input);
  return [
    { type: 'PodReadyToStartContainers', status: input.sandboxReady ? 'True' : 'False' },
    { type: 'Initialized', ...initialized(input) },
    { type: 'Ready', ...ready(input, containers) },
    { type: 'ContainersReady', ...containers },
    { type: 'PodScheduled', status: 'True' },
  ];
}
