import type { Container, ContainerStatus, Pod } from '../../api/types/core-v1.ts';
import type { PodRuntimeState, RuntimeContainer } from '../runtime/types.ts';

/** The newest thing known of a container: from the engine, or from the pod's status when the engine forgot it. */
export interface ContainerView {
  /** Absent if only the status knows it. */
  runtime?: RuntimeContainer;
  state: 'created' | 'running' | 'exited';
  attempt: number;
  exitCode?: number;
  /** Milliseconds since the epoch; of exited ones. */
  exitedAt?: number;
}

const idPrefix = 'docker://';

/** `docker://<id>` of the API without its scheme. */
export const bareID = (containerID: string): string =>
  containerID.startsWith(idPrefix) ? containerID.slice(idPrefix.length) : containerID;

export const apiContainerID = (id: string): string => idPrefix + id;

const isSidecarSpec = (container: Container): boolean => container.restartPolicy === 'Always';

/** An init container that keeps running beside the others. */
export const isSidecar = (pod: Pod, container: Container): boolean =>
  isSidecarSpec(container) && (pod.spec?.initContainers ?? []).includes(container);

/** The status that the API last had of a container, init or not. */
export const apiStatusOf = (pod: Pod, name: string): ContainerStatus | undefined =>
  pod.status?.containerStatuses?.find((status) => status.name === name) ??
  pod.status?.initContainerStatuses?.find((status) => status.name === name);

/** Newest first. */
export const attemptsOf = (observed: PodRuntimeState, name: string): RuntimeContainer[] =>
  observed.containers.filter((container) => container.name === name);

const viewOf = (runtime: RuntimeContainer): ContainerView => ({
  runtime,
  state: runtime.state,
  attempt: runtime.attempt,
  exitCode: runtime.exitCode,
  ...(runtime.finishedAt && { exitedAt: Date.parse(runtime.finishedAt) }),
});

/** Exit code reported of a container that ran and was removed behind the kubelet's back. */
export const lostExitCode = 137;

/**
 * The newest attempt of a container. When the engine has none but the pod's status tells of one that ran, it
 * was removed behind the kubelet's back and counts as exited: so a completed container is not run again, and
 * the restart count does not go back.
 */
export function viewContainer(pod: Pod, observed: PodRuntimeState, name: string): ContainerView | undefined {
  const newest = observed.containers.find((container) => container.name === name);
  if (newest) return viewOf(newest);
  const status = apiStatusOf(pod, name);
  if (!status) return undefined;
  const terminated =
    status.state?.terminated ?? (status.state?.waiting ? status.lastState?.terminated : undefined);
  if (terminated)
    return {
      state: 'exited',
      attempt: status.restartCount,
      exitCode: terminated.exitCode,
      ...(terminated.finishedAt && { exitedAt: Date.parse(terminated.finishedAt) }),
    };
  if (!status.state?.running) return undefined;
  return { state: 'exited', attempt: status.restartCount, exitCode: lostExitCode };
}
