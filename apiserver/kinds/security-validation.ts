import { type FieldProblem, forbidden, invalid, notSupported, required } from '../../api/field-error.ts';
import type { PodSpec, SeccompProfile, SecurityContext } from '../../api/types/core-v1.ts';

const maxID = 2 ** 31 - 1;
const idRange = `must be between 0 and ${maxID}, inclusive`;
const seccompTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];
const procMounts = ['Default', 'Unmasked'];
const groupChangePolicies = ['Always', 'OnRootMismatch'];
const sysctlPattern = /^[a-z0-9]([-_a-z0-9]*[a-z0-9])?([./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/;

function validateID(errors: FieldProblem[], field: string, id: number | undefined): void {
  if (id !== undefined && (id < 0 || id > maxID)) errors.push(invalid(field, id, idRange));
}

function validateSeccomp(errors: FieldProblem[], field: string, profile: SeccompProfile | undefined): void {
  if (!profile) return;
  if (!profile.type) errors.push(required(`${field}.type`, 'type is required when seccompProfile is set'));
  else if (!seccompTypes.includes(profile.type))
    errors.push(notSupported(`${field}.type`, profile.type, seccompTypes));
  if (profile.type === 'Localhost') {
    if (profile.localhostProfile === undefined)
      errors.push(required(`${field}.localhostProfile`, 'must be set when seccomp type is Localhost'));
  } else if (profile.localhostProfile !== undefined)
    errors.push(
      invalid(`${field}.localhostProfile`, profile, 'can only be set when seccomp type is Localhost'),
    );
}

/** The security context of a container. */
export function validateSecurityContext(
  errors: FieldProblem[],
  field: string,
  context: SecurityContext | undefined,
): void {
  if (!context) return;
  validateID(errors, `${field}.runAsUser`, context.runAsUser);
  validateID(errors, `${field}.runAsGroup`, context.runAsGroup);
  if (context.procMount !== undefined && !procMounts.includes(context.procMount))
    errors.push(notSupported(`${field}.procMount`, context.procMount, procMounts));
  validateSeccomp(errors, `${field}.seccompProfile`, context.seccompProfile);
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged)
      errors.push(
        invalid(field, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'),
      );
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN'))
      errors.push(
        invalid(
          field,
          context,
          'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
        ),
      );
  }
}

/** The security context of a pod. `field` is the path of the spec. */
export function validatePodSecurityContext(errors: FieldProblem[], field: string, spec: PodSpec): void {
  const context = spec.securityContext;
  const path = `${field}.securityContext`;
  if (spec.hostPID && spec.shareProcessNamespace)
    errors.push(
      invalid(
        `${field}.shareProcessNamespace`,
        true,
        'ShareProcessNamespace and HostPID cannot both be enabled',
      ),
    );
  if (!context) return;
  validateID(errors, `${path}.fsGroup`, context.fsGroup);
  validateID(errors, `${path}.runAsUser`, context.runAsUser);
  validateID(errors, `${path}.runAsGroup`, context.runAsGroup);
  for (const [index, group] of (context.supplementalGroups ?? []).entries())
    validateID(errors, `${path}.supplementalGroups[${index}]`, group);
  const seen = new Set<string>();
  for (const [index, { name }] of (context.sysctls ?? []).entries()) {
    const at = `${path}.sysctls[${index}].name`;
    if (!name) errors.push(required(at));
    else if (!sysctlPattern.test(name) || name.length > 253)
      errors.push(
        invalid(at, name, `must have at most 253 characters and match regex ${sysctlPattern.source}`),
      );
    else if (seen.has(name))
      errors.push({
        reason: 'FieldValueDuplicate',
        field: at,
        message: `Duplicate value: ${JSON.stringify(name)}`,
      });
    seen.add(name);
  }
  if (context.fsGroupChangePolicy !== undefined && !groupChangePolicies.includes(context.fsGroupChangePolicy))
    errors.push(
      notSupported(`${path}.fsGroupChangePolicy`, context.fsGroupChangePolicy, groupChangePolicies),
    );
  validateSeccomp(errors, `${path}.seccompProfile`, context.seccompProfile);
  if (spec.hostUsers === false) {
    if (spec.hostNetwork)
      errors.push(forbidden(`${field}.hostNetwork`, 'when `pod.Spec.HostUsers` is false'));
    if (spec.hostPID) errors.push(forbidden(`${field}.HostPID`, 'when `pod.Spec.HostUsers` is false'));
    if (spec.hostIPC) errors.push(forbidden(`${field}.HostIPC`, 'when `pod.Spec.HostUsers` is false'));
  }
}
