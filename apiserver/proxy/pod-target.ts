import { pods } from '../../api/resources.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { KindRegistry } from '../registry/kind-registry.ts';
import { badRequest, notFound } from '../rest/api-error.ts';
import type { Storage } from '../storage/storage.ts';

/** @throws {ApiError} 404 */
export async function findPod(
  storage: Storage,
  registry: KindRegistry,
  namespace: string,
  name: string,
): Promise<Pod> {
  const served = registry.builtIn(pods);
  await storage.consistent();
  const entry = served.cache.get(`${namespace}/${name}`);
  if (!entry) throw notFound(pods, name);
  return entry.parse<Pod>();
}

/**
 * The container that a request means: the one it names, or the pod's only one (or the annotated default).
 * @throws {ApiError} 400 if it names none of the pod's, or names none and there are several
 */
export function containerOf(pod: Pod, name: string | null): string {
  const regular = (pod.spec?.containers ?? []).map((container) => container.name);
  const init = (pod.spec?.initContainers ?? []).map((container) => container.name);
  const ephemeral = (pod.spec?.ephemeralContainers ?? []).map((container) => container.name);
  const podName = pod.metadata?.name;
  if (name) {
    if ([...regular, ...init, ...ephemeral].includes(name)) return name;
    throw badRequest(`container ${name} is not valid for pod ${podName}`);
  }
  const preferred = pod.metadata?.annotations?.['kubectl.kubernetes.io/default-container'];
  if (preferred && regular.includes(preferred)) return preferred;
  if (regular.length === 1) return regular[0]!;
  let message = `a container name must be specified for pod ${podName}, choose one of: [${regular.join(' ')}]`;
  if (init.length) message += ` or one of the init containers: [${init.join(' ')}]`;
  if (ephemeral.length) message += ` or one of the ephemeral containers: [${ephemeral.join(' ')}]`;
  throw badRequest(message);
}

/** The node that a pod runs on. @throws {ApiError} 400 if it is on none yet */
export function hostOf(pod: Pod): string {
  const node = pod.spec?.nodeName;
  if (!node) throw badRequest(`pod ${pod.metadata?.name} does not have a host assigned`);
  return node;
}
