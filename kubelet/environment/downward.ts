import { bytes, milliCPU, parseQuantity } from '../../api/quantity.ts';
import type { Container, Pod, ResourceFieldSelector } from '../../api/types/core-v1.ts';
import { ContainerConfigError } from './config-error.ts';

/** What the downward API knows beside the pod's own object. */
export interface NodeFacts {
  nodeName: string;
  hostIP: string;
  /** The pod's address, once it has one. */
  podIP?: string;
  /** For limits that a container does not set. */
  allocatable: { milliCPU: number; memoryBytes: number; ephemeralStorageBytes: number };
}

/** `key="escaped value"` lines, sorted, as the kubelet writes labels and annotations. */
const formatMap = (map: Readonly<Record<string, string>> = {}): string =>
  Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');

/**
 * The value of a `fieldRef`.
 * https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
 * @throws {ContainerConfigError} for a field that the downward API does not have
 */
export function podField(pod: Pod, path: string, facts: NodeFacts): string {
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (subscript) return pod.metadata?.[subscript[1] as 'labels' | 'annotations']?.[subscript[2]!] ?? '';
  switch (path) {
    case 'metadata.name':
      return pod.metadata?.name ?? '';
    case 'metadata.namespace':
      return pod.metadata?.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata?.uid ?? '';
    case 'metadata.labels':
      return formatMap(pod.metadata?.labels);
    case 'metadata.annotations':
      return formatMap(pod.metadata?.annotations);
    case 'spec.nodeName':
      return facts.nodeName;
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? '';
    case 'status.hostIP':
    case 'status.hostIPs':
      return facts.hostIP;
    case 'status.podIP':
    case 'status.podIPs':
      return (pod.spec?.hostNetwork ? facts.hostIP : facts.podIP) ?? '';
    default:
      throw new ContainerConfigError(`unsupported fieldPath: ${path}`);
  }
}

const ceilingDivide = (value: number, divisor: number): number => Math.ceil(value / Math.max(1, divisor));

/**
 * The value of a `resourceFieldRef`, rounded up to whole divisors; a limit that is not set is what the node can give.
 * @throws {ContainerConfigError} for a resource that the downward API does not have
 */
export function resourceField(
  container: Container,
  selector: ResourceFieldSelector,
  facts: NodeFacts,
): string {
  const { requests, limits } = container.resources ?? {};
  const divisor = selector.divisor && parseQuantity(selector.divisor).nano !== 0n ? selector.divisor : '1';
  const memory = (text: string | undefined, otherwise: number) =>
    String(ceilingDivide(text === undefined ? otherwise : bytes(text), bytes(divisor)));
  const { allocatable } = facts;
  switch (selector.resource) {
    case 'limits.cpu':
      return String(
        ceilingDivide(limits?.cpu ? milliCPU(limits.cpu) : allocatable.milliCPU, milliCPU(divisor)),
      );
    case 'requests.cpu':
      return String(ceilingDivide(milliCPU(requests?.cpu ?? limits?.cpu), milliCPU(divisor)));
    case 'limits.memory':
      return memory(limits?.memory, allocatable.memoryBytes);
    case 'requests.memory':
      return memory(requests?.memory ?? limits?.memory, 0);
    case 'limits.ephemeral-storage':
      return memory(limits?.['ephemeral-storage'], allocatable.ephemeralStorageBytes);
    case 'requests.ephemeral-storage':
      return memory(requests?.['ephemeral-storage'] ?? limits?.['ephemeral-storage'], 0);
    default:
      throw new ContainerConfigError(`unsupported container resource : ${selector.resource}`);
  }
}
