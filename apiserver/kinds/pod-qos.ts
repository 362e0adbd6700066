import { compareQuantities } from '../../api/quantity.ts';
import type { PodSpec } from '../../api/types/core-v1.ts';

const counted = ['cpu', 'memory'] as const;

/**
 * The quality of service class of a pod: `Guaranteed` if every container has limits of CPU and memory equal to its
 * requests, `BestEffort` if none has either, else `Burstable`.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
 */
export function qosClass(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  let any = false;
  let guaranteed = true;
  for (const { resources } of spec.resources ? [{ resources: spec.resources }] : containers)
    for (const name of counted) {
      const request = resources?.requests?.[name] ?? '0';
      const limit = resources?.limits?.[name] ?? '0';
      const isLimited = compareQuantities(limit, '0') > 0;
      if (isLimited || compareQuantities(request, '0') > 0) any = true;
      if (!isLimited || compareQuantities(request, limit) !== 0) guaranteed = false;
    }
  if (!any) return 'BestEffort';
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
