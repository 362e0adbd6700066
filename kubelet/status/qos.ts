import { compareQuantities, parseQuantity } from '../../api/quantity.ts';
import type { PodSpec } from '../../api/types/core-v1.ts';

export type QOSClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const supported = ['cpu', 'memory'] as const;

/**
 * Quality of service of a pod, from what all its containers request and are limited to.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
 */
export function qosClass(spec: PodSpec): QOSClass {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  let any = false;
  let guaranteed = true;
  for (const { resources } of containers)
    for (const name of supported) {
      const limit = resources?.limits?.[name];
      const request = resources?.requests?.[name] ?? limit;
      const positive = (text: string | undefined) => text !== undefined && parseQuantity(text).nano > 0n;
      if (positive(limit) || positive(request)) any = true;
      if (!positive(limit) || compareQuantities(request ?? '0', limit ?? '0') !== 0) guaranteed = false;
    }
  if (!any) return 'BestEffort';
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
