import { keyOf } from '../../api/object.ts';
import type { PodFailurePolicy, PodFailurePolicyRule, SuccessPolicy } from '../../api/types/batch-v1.ts';
import type { ContainerStatus, Pod } from '../../api/types/core-v1.ts';
import { parseIndexes } from './indexes.ts';

export interface FailureVerdict {
  action: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count';
  /** Which rule matched and why. */
  message: string;
}

function matchesExitCode(rule: PodFailurePolicyRule, status: ContainerStatus): number | undefined {
  const { containerName, operator, values } = rule.onExitCodes!;
  const code = status.state?.terminated?.exitCode;
  if (code === undefined || code === 0) return undefined;
  if (containerName !== undefined && containerName !== status.name) return undefined;
  return (operator === 'In') === values.includes(code) ? code : undefined;
}

/**
 * What a job's policy says about a failed pod: the first rule that matches counts, and a failure that none
 * matches is counted. https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
 */
export function matchFailurePolicy(
  policy: PodFailurePolicy | undefined,
  pod: Pod,
): FailureVerdict | undefined {
  for (const [index, rule] of (policy?.rules ?? []).entries()) {
    const action = rule.action as FailureVerdict['action'];
    if (rule.onExitCodes) {
      const statuses = [
        ...(pod.status?.containerStatuses ?? []),
        ...(pod.status?.initContainerStatuses ?? []),
      ];
      for (const status of statuses) {
        const code = matchesExitCode(rule, status);
        if (code !== undefined)
          return {
            action,
            message: `Container ${status.name} for pod ${keyOf(pod)} failed with exit code ${code} matching ${action} rule at index ${index}`,
          };
      }
    }
    for (const pattern of rule.onPodConditions ?? [])
      for (const condition of pod.status?.conditions ?? [])
        if (condition.type === pattern.type && condition.status === pattern.status)
          return {
            action,
            message: `Pod ${keyOf(pod)} has condition ${condition.type} matching ${action} rule at index ${index}`,
          };
  }
  return undefined;
}

/** Why an indexed job counts as a success before all of its indexes are done; undefined if it does not. */
export function matchSuccessPolicy(
  policy: SuccessPolicy | undefined,
  completions: number,
  succeeded: ReadonlySet<number>,
): string | undefined {
  for (const [index, rule] of (policy?.rules ?? []).entries()) {
    const required = rule.succeededIndexes ? parseIndexes(rule.succeededIndexes, completions) : undefined;
    const counted = required ? [...required].filter((item) => succeeded.has(item)).length : succeeded.size;
    const enough = rule.succeededCount ?? required?.size;
    if (enough !== undefined && counted >= enough) return `Matched rules at index ${index}`;
  }
  return undefined;
}
