import type { Container, ContainerStatus, PodSpec } from '../../api/types/core-v1.ts';

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

export interface PhaseInput {
  spec: PodSpec;
  initStatuses: readonly ContainerStatus[];
  statuses: readonly ContainerStatus[];
  /** Nothing runs and nothing will. */
  finished: boolean;
}

type InitProgress = 'done' | 'pending' | 'failed';

function initProgress(container: Container, status: ContainerStatus | undefined): InitProgress {
  const sidecar = container.restartPolicy === 'Always';
  if (status?.state?.running) return sidecar && status.started ? 'done' : 'pending';
  const terminated = status?.state?.terminated ?? status?.lastState?.terminated;
  if (!terminated) return 'pending';
  if (sidecar) return 'pending';
  return terminated.exitCode === 0 ? 'done' : 'failed';
}

function containerCounts(statuses: readonly ContainerStatus[]) {
  const counts = { running: 0, waiting: 0, stopped: 0, succeeded: 0 };
  for (const { state, lastState } of statuses)
    if (state?.running) counts.running++;
    else if (state?.terminated) {
      counts.stopped++;
      if (state.terminated.exitCode === 0) counts.succeeded++;
    } else if (lastState?.terminated) counts.stopped++;
    else counts.waiting++;
  return counts;
}

/**
 * A pod's phase from its containers' statuses.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase
 */
export function podPhase(input: PhaseInput): PodPhase {
  const { spec, initStatuses, statuses, finished } = input;
  const restartPolicy = spec.restartPolicy ?? 'Always';
  const progress = (spec.initContainers ?? []).map((container) =>
    initProgress(
      container,
      initStatuses.find((status) => status.name === container.name),
    ),
  );
  if (progress.includes('failed') && restartPolicy === 'Never') return 'Failed';
  const counts = containerCounts(statuses);
  // An ordinary container that has run proves that initialisation was done.
  const initialised = counts.running + counts.stopped > 0;
  if (finished) {
    const clean = counts.stopped === spec.containers.length && counts.succeeded === counts.stopped;
    return clean ? 'Succeeded' : 'Failed';
  }
  if (counts.waiting > 0 || (progress.some((one) => one !== 'done') && !initialised)) return 'Pending';
  if (counts.running > 0) return 'Running';
  if (counts.stopped === 0) return 'Pending';
  if (restartPolicy === 'Always') return 'Running';
  if (counts.stopped === counts.succeeded) return 'Succeeded';
  return restartPolicy === 'Never' ? 'Failed' : 'Running';
}
