import type { Container, ContainerState, ContainerStatus, Pod } from '../../api/types/core-v1.ts';
import { apiContainerID, apiStatusOf, attemptsOf, isSidecar, lostExitCode } from '../pods/container-view.ts';
import type { Waiting } from '../pods/plan-pod.ts';
import type { PodRuntimeState, RuntimeContainer } from '../runtime/types.ts';

export interface ContainerStatusInput {
  pod: Pod;
  observed: PodRuntimeState;
  /** Why containers that should run do not, by name. */
  waiting: ReadonlyMap<string, Waiting>;
  /** Ids of running containers that have started (see the startup probe). */
  started: ReadonlySet<string>;
  /** Ids of running containers that are ready. */
  ready: ReadonlySet<string>;
  /** `status.containerStatuses[].imageID` for an image's id. */
  imageIDOf(imageID: string): string;
}

function terminatedReason(runtime: RuntimeContainer): string {
  if (runtime.error) return 'StartError';
  if (runtime.oomKilled) return 'OOMKilled';
  return runtime.exitCode === 0 ? 'Completed' : 'Error';
}

/** The terminated state of an attempt that has exited. */
function terminatedState(runtime: RuntimeContainer): ContainerState {
  const message = runtime.error ?? runtime.message;
  return {
    terminated: {
      exitCode: runtime.exitCode ?? 0,
      reason: terminatedReason(runtime),
      ...(message && { message }),
      startedAt: runtime.startedAt ?? '1970-01-01T00:00:00Z',
      finishedAt: runtime.finishedAt,
      containerID: apiContainerID(runtime.id),
    },
  };
}

/** The state of a container that the status says ran, and that the engine no longer has. */
const lostState = (containerID: string | undefined): ContainerState => ({
  terminated: {
    exitCode: lostExitCode,
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the pod was terminated',
    ...(containerID && { containerID }),
    startedAt: '1970-01-01T00:00:00Z',
    finishedAt: '1970-01-01T00:00:00Z',
  },
});

/** Why a container that has not been made yet waits, when nothing special holds it. */
const defaultWaiting = (pod: Pod): Waiting => ({
  reason: (pod.spec?.initContainers ?? []).length > 0 ? 'PodInitializing' : 'ContainerCreating',
});

function states(
  input: ContainerStatusInput,
  container: Container,
): Pick<ContainerStatus, 'state' | 'lastState'> {
  const { pod, observed } = input;
  const [newest, previous] = attemptsOf(observed, container.name);
  const old = apiStatusOf(pod, container.name);
  const waiting = input.waiting.get(container.name);
  const before = previous ? terminatedState(previous) : (old?.lastState ?? {});
  if (newest?.state === 'running')
    return { state: { running: { startedAt: newest.startedAt } }, lastState: before };
  if (newest?.state === 'created')
    return { state: { waiting: waiting ?? defaultWaiting(pod) }, lastState: before };
  if (newest)
    return waiting
      ? { state: { waiting }, lastState: terminatedState(newest) }
      : { state: terminatedState(newest), lastState: before };
  if (old?.state?.terminated) return { state: old.state, lastState: old.lastState ?? {} };
  const last = old?.state?.running ? lostState(old.containerID) : (old?.lastState ?? {});
  return { state: { waiting: waiting ?? defaultWaiting(pod) }, lastState: last };
}

/** What was reported of this very container stays; the name by which its image was pulled may be forgotten. */
const imageIDOf = (
  input: ContainerStatusInput,
  newest: RuntimeContainer,
  old: ContainerStatus | undefined,
): string =>
  old?.imageID && old.containerID === apiContainerID(newest.id)
    ? old.imageID
    : input.imageIDOf(newest.imageID);

/** One container's status as the API reports it. */
export function containerStatus(
  input: ContainerStatusInput,
  container: Container,
  init: boolean,
): ContainerStatus {
  const { pod, observed } = input;
  const [newest] = attemptsOf(observed, container.name);
  const old = apiStatusOf(pod, container.name);
  const { state, lastState } = states(input, container);
  const runsOn = !init || isSidecar(pod, container);
  const id = newest?.id;
  const running = newest?.state === 'running';
  return {
    name: container.name,
    state,
    lastState,
    ready: runsOn ? running && input.ready.has(newest.id) : state?.terminated?.exitCode === 0,
    restartCount: newest?.attempt ?? old?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: newest ? imageIDOf(input, newest, old) : (old?.imageID ?? ''),
    ...(id ? { containerID: apiContainerID(id) } : old?.containerID && { containerID: old.containerID }),
    started: running && (runsOn ? input.started.has(newest.id) : true),
  };
}
