import type { Pod, Service } from '../../api/types/core-v1.ts';
import type { Log } from '../../client/log.ts';
import type { NodeFacts } from '../environment/downward.ts';
import type { DNSSettings } from '../environment/network-files.ts';
import type { ContainerRuntime, ImageManager, PodNetwork } from '../runtime/types.ts';
import type { StatusManager } from '../status/status-manager.ts';
import type { ObjectCache } from '../volumes/object-cache.ts';
import type { TokenCache } from '../volumes/token-cache.ts';

/** Records events on pods; `fieldPath` names a container, as `spec.containers{web}`. */
export interface PodEvents {
  event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void;
}

/** What all pod workers share. */
export interface PodServices {
  runtime: ContainerRuntime;
  images: ImageManager;
  network: PodNetwork;
  objects: ObjectCache;
  tokens: TokenCache;
  statuses: StatusManager;
  events: PodEvents;
  log: Log;
  /** `status.containerStatuses[].imageID` by image id, of images that containers were made from. */
  imageIDs: Map<string, string>;
  rootDirectory: string;
  dns: DNSSettings;
  /** Of the node, without a pod's address. */
  facts(): NodeFacts;
  /** All services of the cluster; resolves once they are known. */
  services(): Promise<Iterable<Service>>;
  /** Undefined once the pod network is up, else why it is not. */
  networkProblem(): string | undefined;
  now(): number;
}

/** The part of an event's reference that names a container. */
export function fieldPathOf(pod: Pod, container: string): string {
  const init = pod.spec?.initContainers?.some(({ name }) => name === container);
  return `spec.${init ? 'initContainers' : 'containers'}{${container}}`;
}
