import type { Container, ContainerStatus, EphemeralContainer, Pod } from '../../api/types/core-v1.ts';
import type { PodLookup, RuntimeContainer } from '../runtime/types.ts';
import { HttpError } from './http-error.ts';

/** The pod of this name (and UID, if one is given). @throws {HttpError} 404 */
export function podOf(lookup: PodLookup, namespace: string, name: string, uid?: string): Pod {
  const pod = lookup.pod(namespace, name);
  if (!pod || (uid && pod.metadata?.uid !== uid))
    throw new HttpError(404, `pod ${JSON.stringify(name)} does not exist`);
  return pod;
}

function containerSpec(pod: Pod, name: string): Container | EphemeralContainer | undefined {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec ?? {};
  return [...containers, ...initContainers, ...ephemeralContainers].find(
    (container) => container.name === name,
  );
}

export function containerStatusOf(pod: Pod, name: string): ContainerStatus | undefined {
  const {
    containerStatuses = [],
    initContainerStatuses = [],
    ephemeralContainerStatuses = [],
  } = pod.status ?? {};
  return [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find(
    (status) => status.name === name,
  );
}

/** The container to exec into or attach to. @throws {HttpError} 500 as the kubelet, if it does not run */
export function runningContainer(lookup: PodLookup, pod: Pod, name: string): RuntimeContainer {
  const container = lookup.container(pod, name);
  if (!container) throw new HttpError(500, `container not found (${JSON.stringify(name)})`);
  if (container.state !== 'running') throw new HttpError(500, `container not running (${container.id})`);
  return container;
}

/**
 * The container whose log is asked for.
 * @throws {HttpError} 404 if the pod has none of that name, 400 with the reason if it has no log yet
 */
export function containerWithLog(
  lookup: PodLookup,
  pod: Pod,
  name: string,
  previous: boolean,
): RuntimeContainer {
  const podName = pod.metadata?.name ?? '';
  const which = `container ${JSON.stringify(name)} in pod ${JSON.stringify(podName)}`;
  if (!containerSpec(pod, name))
    throw new HttpError(404, `container ${JSON.stringify(name)} not found in pod ${JSON.stringify(podName)}`);
  const waiting = containerStatusOf(pod, name)?.state?.waiting;
  const newest = lookup.container(pod, name);
  if (previous) {
    // While the next attempt waits, the newest container is the one that terminated last.
    const terminated =
      waiting && newest?.state === 'exited' ? newest : lookup.container(pod, name, { previous: true });
    if (!terminated) throw new HttpError(400, `previous terminated ${which} not found`);
    return terminated;
  }
  if (newest && newest.state !== 'created') return newest;
  const before = newest && lookup.container(pod, name, { previous: true });
  if (before) return before;
  throw new HttpError(400, `${which} is waiting to start: ${whyItWaits(pod, waiting?.reason)}`);
}

function whyItWaits(pod: Pod, reason: string | undefined): string {
  if (reason === 'ErrImagePull') return "image can't be pulled";
  if (reason === 'ImagePullBackOff') return 'trying and failing to pull image';
  return reason ?? (pod.spec?.initContainers?.length ? 'PodInitializing' : 'ContainerCreating');
}
