import { type FieldProblem, forbidden, invalid, required } from '../../api/field-error.ts';
import { dns1123Subdomain } from '../../api/names.ts';
import type { Container, ContainerStatus, Pod, PodSpec, Toleration } from '../../api/types/core-v1.ts';
import { same } from './common.ts';
import { validateImages } from './container-validation.ts';
import {
  invalidFor,
  validateImmutable,
  validateMetadata,
  validateMetadataUpdate,
  validateStatusMetadata,
} from './metadata-validation.ts';
import { validatePodSpec } from './pod-spec-validation.ts';

const maxInt32 = 2 ** 31 - 1;
const deletionCost = 'controller.kubernetes.io/pod-deletion-cost';

/** A whole pod. */
export function validatePod(pod: Pod): FieldProblem[] {
  const errors = validateMetadata(pod, true, dns1123Subdomain);
  const cost = pod.metadata?.annotations?.[deletionCost];
  if (cost !== undefined && (!/^(?:0|-?[1-9]\d*)$/.test(cost) || Math.abs(Number(cost)) > maxInt32))
    errors.push(invalid(`metadata.annotations[${deletionCost}]`, cost, 'must be a 32bit integer'));
  if (!pod.spec) {
    errors.push(required('spec.containers'));
    return errors;
  }
  validatePodSpec(errors, 'spec', pod.spec, true);
  validateImages(errors, 'spec', pod.spec);
  return errors;
}

const updatable = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');

/** What changed, one line a field, with `-` before the old and `+` before the new value. */
function difference(path: string, before: unknown, after: unknown, lines: string[]): string[] {
  if (same(before, after)) return lines;
  const isMap = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null;
  if (isMap(before) && isMap(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
      difference(
        Array.isArray(before) ? `${path}[${key}]` : `${path}.${key}`,
        before[key],
        after[key],
        lines,
      );
    return lines;
  }
  if (before !== undefined) lines.push(`- ${path}: ${JSON.stringify(before)}`);
  if (after !== undefined) lines.push(`+ ${path}: ${JSON.stringify(after)}`);
  return lines;
}

function validateImageChange(
  errors: FieldProblem[],
  field: string,
  next: readonly Container[] = [],
  previous: readonly Container[] = [],
): boolean {
  if (next.length !== previous.length) {
    errors.push(forbidden(field, 'pod updates may not add or remove containers'));
    return false;
  }
  for (const [index, container] of next.entries())
    if (!container.image) {
      errors.push(required(`${field}[${index}].image`));
      return false;
    }
  return true;
}

function validateDeadlineChange(errors: FieldProblem[], next: PodSpec, previous: PodSpec): boolean {
  const field = 'spec.activeDeadlineSeconds';
  const after = next.activeDeadlineSeconds;
  const before = previous.activeDeadlineSeconds;
  if (after === undefined) {
    if (before !== undefined)
      errors.push(invalid(field, undefined, 'must not update from a positive integer to nil value'));
    return true;
  }
  if (after < 0 || after > maxInt32) {
    errors.push(invalid(field, after, `must be between 0 and ${maxInt32}, inclusive`));
    return false;
  }
  if (before !== undefined && before < after) {
    errors.push(invalid(field, after, 'must be less than or equal to previous value'));
    return false;
  }
  return true;
}

const withoutSeconds = ({ tolerationSeconds: _seconds, ...rest }: Toleration): Toleration => rest;

function validateTolerationChange(errors: FieldProblem[], next: PodSpec, previous: PodSpec): void {
  for (const old of previous.tolerations ?? [])
    if (!next.tolerations?.some((toleration) => same(withoutSeconds(toleration), withoutSeconds(old)))) {
      errors.push(
        forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'),
      );
      return;
    }
}

function validateGateChange(errors: FieldProblem[], next: PodSpec, previous: PodSpec): void {
  for (const [index, gate] of (next.schedulingGates ?? []).entries())
    if (!previous.schedulingGates?.some((old) => old.name === gate.name))
      errors.push(
        forbidden(
          `spec.schedulingGates[${index}].name`,
          `only deletion is allowed, but found new scheduling gate '${gate.name}'`,
        ),
      );
}

/** The new spec with every field that may change set back to what it was. */
function withoutAllowedChanges(next: PodSpec, previous: PodSpec): PodSpec {
  const images = (list: Container[] | undefined, old: Container[] | undefined): Container[] | undefined =>
    list?.map((container, index) => ({ ...container, image: old?.[index]?.image }));
  const grace =
    (previous.terminationGracePeriodSeconds ?? 0) < 0 && next.terminationGracePeriodSeconds === 1
      ? previous.terminationGracePeriodSeconds
      : next.terminationGracePeriodSeconds;
  return {
    ...next,
    containers: images(next.containers, previous.containers) ?? [],
    initContainers: images(next.initContainers, previous.initContainers),
    activeDeadlineSeconds: previous.activeDeadlineSeconds,
    tolerations: previous.tolerations,
    schedulingGates: previous.schedulingGates,
    terminationGracePeriodSeconds: grace,
    // Scheduling constraints of a gated pod may still be tightened.
    ...(previous.schedulingGates?.length && narrows(next.nodeSelector, previous.nodeSelector)
      ? { nodeSelector: previous.nodeSelector }
      : {}),
  };
}

const narrows = (next: Record<string, string> = {}, previous: Record<string, string> = {}): boolean =>
  Object.entries(previous).every(([key, value]) => next[key] === value);

/** An update of a pod: almost all of its spec is fixed once it exists. */
export function validatePodUpdate(next: Pod, previous: Pod): FieldProblem[] {
  const errors = validateMetadataUpdate(next, previous);
  const after = next.spec;
  const before = previous.spec;
  if (!after || !before) return errors;
  if (!validateImageChange(errors, 'spec.containers', after.containers, before.containers)) return errors;
  if (!validateImageChange(errors, 'spec.initContainers', after.initContainers, before.initContainers))
    return errors;
  if (!validateDeadlineChange(errors, after, before)) return errors;
  validateTolerationChange(errors, after, before);
  validateGateChange(errors, after, before);
  const rest = withoutAllowedChanges(after, before);
  if (!same(rest, before))
    errors.push(
      forbidden(
        'spec',
        `pod updates may not change fields other than ${updatable}\n${difference('spec', before, rest, []).join('\n')}\n`,
      ),
    );
  return errors;
}

function validateTransition(
  errors: FieldProblem[],
  field: string,
  next: readonly ContainerStatus[] = [],
  previous: readonly ContainerStatus[] = [],
  mayRestart: (status: ContainerStatus) => boolean,
): void {
  for (const [index, old] of previous.entries()) {
    if (!old.state?.terminated || mayRestart(old)) continue;
    const now = next.find((status) => status.name === old.name);
    if (now && !now.state?.terminated)
      errors.push(forbidden(`${field}[${index}].state`, 'may not be transitioned to non-terminated state'));
  }
}

/** An update of a pod's status: a container that is done for good stays done. */
export function validatePodStatusUpdate(next: Pod, previous: Pod): FieldProblem[] {
  const errors = validateStatusMetadata(next, previous);
  const policy = previous.spec?.restartPolicy;
  const sidecars = new Set(
    previous.spec?.initContainers?.filter((item) => item.restartPolicy === 'Always').map((item) => item.name),
  );
  const failedMayRetry = (status: ContainerStatus): boolean =>
    policy === 'Always' || (status.state?.terminated?.exitCode !== 0 && policy === 'OnFailure');
  const nominated = next.status?.nominatedNodeName;
  if (nominated && nominated !== previous.status?.nominatedNodeName)
    invalidFor(errors, 'status.nominatedNodeName', nominated, dns1123Subdomain(nominated));
  validateImmutable(errors, 'status.qosClass', next.status?.qosClass, previous.status?.qosClass);
  validateTransition(
    errors,
    'status.containerStatuses',
    next.status?.containerStatuses,
    previous.status?.containerStatuses,
    failedMayRetry,
  );
  validateTransition(
    errors,
    'status.initContainerStatuses',
    next.status?.initContainerStatuses,
    previous.status?.initContainerStatuses,
    (status) => failedMayRetry(status) || sidecars.has(status.name),
  );
  return errors;
}
