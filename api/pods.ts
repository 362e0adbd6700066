import { isConditionTrue } from './conditions.ts';
import { bytes, milliCPU } from './quantity.ts';
import type { Container, Pod, ResourceRequirements } from './types/core-v1.ts';

/** Amounts of resources: `cpu` in thousandths of a CPU, `memory` and storage in bytes, others in units. */
export type Amounts = Record<string, number>;

/** Whether the pod has ended and will not run again. */
export const isPodTerminal = (pod: Pod): boolean =>
  pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** Whether the pod's `Ready` condition is true. */
export const isPodReady = (pod: Pod): boolean => isConditionTrue(pod.status?.conditions, 'Ready');

/** Whether the pod has been told to end. */
export const isPodTerminating = (pod: Pod): boolean => pod.metadata?.deletionTimestamp !== undefined;

/** Whether the container is a sidecar: it starts with the init containers and keeps running. */
export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';

/** The number of a resource's amount: thousandths for `cpu`, whole units for all others. */
export const amountOf = (resource: string, quantity: string | number): number =>
  resource === 'cpu' ? milliCPU(quantity) : bytes(quantity);

export function amountsOf(list: Record<string, string> | undefined): Amounts {
  const amounts: Amounts = {};
  for (const resource in list) amounts[resource] = amountOf(resource, list[resource]!);
  return amounts;
}

function add(into: Amounts, amounts: Amounts): void {
  for (const resource in amounts) into[resource] = (into[resource] ?? 0) + amounts[resource]!;
}

function raise(into: Amounts, amounts: Amounts): void {
  for (const resource in amounts) into[resource] = Math.max(into[resource] ?? 0, amounts[resource]!);
}

/** Resources that a pod-level `resources` may state for the pod as a whole. */
const isPodLevel = (resource: string) =>
  resource === 'cpu' || resource === 'memory' || resource.startsWith('hugepages-');

export interface PodRequestOptions {
  /** What a container counts that requests nothing of a resource, for weighing (not fitting) pods. */
  absent?: Amounts;
  /** Whether requests or limits are summed. */
  of?: 'requests' | 'limits';
}

/**
 * What a pod asks of its node: the sum of its containers and sidecars, or the largest init container with the
 * sidecars started before it, whichever is more; pod-level resources instead of the sums where stated; plus
 * the overhead of its runtime class.
 * https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
 * @throws {QuantityError} for a malformed quantity
 */
export function podRequests(pod: Pod, options: PodRequestOptions = {}): Amounts {
  const { absent, of = 'requests' } = options;
  const stated = (resources: ResourceRequirements | undefined) => amountsOf(resources?.[of]);
  const withAbsent = (container: Container) => ({ ...absent, ...stated(container.resources) });
  const total: Amounts = {};
  for (const container of pod.spec?.containers ?? []) add(total, withAbsent(container));
  const sidecars: Amounts = {};
  const initial: Amounts = {};
  for (const container of pod.spec?.initContainers ?? []) {
    const amounts = withAbsent(container);
    if (isSidecar(container)) {
      add(total, amounts);
      add(sidecars, amounts);
      raise(initial, sidecars);
    } else {
      add(amounts, sidecars);
      raise(initial, amounts);
    }
  }
  raise(total, initial);
  const whole = stated(pod.spec?.resources);
  for (const resource in whole) if (isPodLevel(resource)) total[resource] = whole[resource]!;
  add(total, amountsOf(pod.spec?.overhead));
  return total;
}
