import { type FieldProblem, invalid, notSupported, required } from '../../api/field-error.ts';
import { dns1123Subdomain } from '../../api/names.ts';
import { SelectorError, selectorFromLabelSelector } from '../../api/selectors.ts';
import type { Job, JobSpec } from '../../api/types/batch-v1.ts';
import type { PodTemplateSpec } from '../../api/types/core-v1.ts';
import { same } from './common.ts';
import {
  validateImmutable,
  validateLabelSelector,
  validateMetadata,
  validateMetadataUpdate,
  validateNonnegative,
  validateStatusMetadata,
} from './metadata-validation.ts';
import { validateTemplate } from './workload-validation.ts';

/** Labels by which a job's pods are found; the two older ones are kept for those who rely on them. */
export const jobLabels = {
  uid: 'batch.kubernetes.io/controller-uid',
  name: 'batch.kubernetes.io/job-name',
  oldUID: 'controller-uid',
  oldName: 'job-name',
};

const completionModes = ['NonIndexed', 'Indexed'];
const replacementPolicies = ['Failed', 'TerminatingOrFailed'];

function validateGenerated(errors: FieldProblem[], job: Job): void {
  if (job.spec?.manualSelector) return;
  const labels = job.spec?.template?.metadata?.labels ?? {};
  const path = 'spec.template.metadata.labels';
  for (const [key, wanted] of [
    [jobLabels.oldUID, job.metadata?.uid ?? ''],
    [jobLabels.oldName, job.metadata?.name ?? ''],
    [jobLabels.uid, job.metadata?.uid ?? ''],
    [jobLabels.name, job.metadata?.name ?? ''],
  ] as const) {
    if (labels[key] === undefined) errors.push(required(`${path}[${key}]`, `must be '${wanted}'`));
    else if (labels[key] !== wanted) errors.push(invalid(`${path}[${key}]`, labels, `must be '${wanted}'`));
  }
}

function validateRestartPolicy(errors: FieldProblem[], spec: JobSpec): void {
  const field = 'spec.template.spec.restartPolicy';
  const policy = spec.template?.spec?.restartPolicy;
  if (!spec.template?.spec) return;
  if (policy === 'Always' || !policy) errors.push(required(field, 'valid values: "OnFailure", "Never"'));
  else if (policy !== 'OnFailure' && policy !== 'Never')
    errors.push(notSupported(field, policy, ['OnFailure', 'Never']));
  else if (spec.podFailurePolicy && policy !== 'Never')
    errors.push(invalid(field, policy, 'only "Never" is supported when podFailurePolicy is specified'));
}

function validateCompletion(errors: FieldProblem[], spec: JobSpec): void {
  const mode = spec.completionMode;
  if (mode === undefined) return;
  if (!completionModes.includes(mode))
    errors.push(notSupported('spec.completionMode', mode, completionModes));
  if (mode === 'Indexed') {
    if (spec.completions === undefined)
      errors.push(required('spec.completions', 'when completion mode is Indexed'));
    if ((spec.parallelism ?? 0) > 100_000)
      errors.push(
        invalid(
          'spec.parallelism',
          spec.parallelism,
          'must be less than or equal to 100000 when completion mode is Indexed',
        ),
      );
  } else {
    if (spec.backoffLimitPerIndex !== undefined)
      errors.push(
        invalid('spec.backoffLimitPerIndex', spec.backoffLimitPerIndex, 'requires indexed completion mode'),
      );
    if (spec.maxFailedIndexes !== undefined)
      errors.push(
        invalid('spec.maxFailedIndexes', spec.maxFailedIndexes, 'requires indexed completion mode'),
      );
  }
}

/** A job after defaulting, with the selector that was generated for it. */
export function validateJob(job: Job): FieldProblem[] {
  const errors = validateMetadata(job, true, dns1123Subdomain);
  const spec = job.spec;
  if (!spec) return [...errors, required('spec.selector')];
  validateGenerated(errors, job);
  for (const name of [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ] as const)
    validateNonnegative(errors, `spec.${name}`, spec[name]);
  validateCompletion(errors, spec);
  const replacement = spec.podReplacementPolicy;
  if (replacement !== undefined && !replacementPolicies.includes(replacement))
    errors.push(notSupported('spec.podReplacementPolicy', replacement, replacementPolicies));
  validateTemplate(errors, 'spec.template', spec.template);
  validateRestartPolicy(errors, spec);
  if (!spec.selector) errors.push(required('spec.selector'));
  else validateLabelSelector(errors, 'spec.selector', spec.selector);
  try {
    const labels = spec.template?.metadata?.labels;
    if (spec.selector && !selectorFromLabelSelector(spec.selector).matches(labels))
      errors.push(
        invalid('spec.template.metadata.labels', labels ?? {}, '`selector` does not match template `labels`'),
      );
  } catch (error) {
    // Its requirements have been refused above.
    if (!(error instanceof SelectorError)) throw error;
  }
  return errors;
}

/** What of the template a suspended job that has not started may still change: where its pods may run. */
function withSchedulingOf(template: PodTemplateSpec, other: PodTemplateSpec): PodTemplateSpec {
  const { labels, annotations } = other.metadata ?? {};
  const { nodeSelector, tolerations, schedulingGates, affinity } = other.spec ?? { containers: [] };
  return {
    ...template,
    metadata: { ...template.metadata, labels, annotations },
    spec: template.spec && {
      ...template.spec,
      nodeSelector,
      tolerations,
      schedulingGates,
      affinity: affinity?.nodeAffinity
        ? { ...template.spec.affinity, nodeAffinity: affinity.nodeAffinity }
        : template.spec.affinity,
    },
  };
}

/** An update of a job: what its pods are is fixed. */
export function validateJobUpdate(next: Job, previous: Job): FieldProblem[] {
  const errors = validateMetadataUpdate(next, previous);
  const after = next.spec;
  const before = previous.spec;
  if (!after || !before) return errors;
  // An indexed job may grow and shrink together with its parallelism.
  const elastic =
    after.completionMode === 'Indexed' &&
    after.completions !== undefined &&
    after.completions === after.parallelism;
  if (!elastic) validateImmutable(errors, 'spec.completions', after.completions, before.completions);
  validateImmutable(errors, 'spec.selector', after.selector, before.selector);
  const notStarted = before.suspend === true && previous.status?.startTime === undefined;
  const template =
    notStarted && before.template && after.template
      ? withSchedulingOf(before.template, after.template)
      : before.template;
  if (!same(after.template, template))
    errors.push(invalid('spec.template', after.template, 'field is immutable'));
  for (const name of [
    'completionMode',
    'podFailurePolicy',
    'backoffLimitPerIndex',
    'managedBy',
    'successPolicy',
  ] as const)
    validateImmutable(errors, `spec.${name}`, after[name], before[name]);
  return errors;
}

/** An update of a job's status: counts are counts, and what is finished stays finished. */
export function validateJobStatusUpdate(next: Job, previous: Job): FieldProblem[] {
  const errors = validateStatusMetadata(next, previous);
  for (const name of ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const)
    validateNonnegative(errors, `status.${name}`, next.status?.[name]);
  const isTrue = (job: Job, type: string): boolean =>
    job.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ??
    false;
  for (const type of ['Complete', 'Failed'])
    if (isTrue(previous, type) && !isTrue(next, type))
      errors.push(
        invalid(
          'status.conditions',
          next.status?.conditions ?? [],
          `cannot disable the terminal ${type} condition`,
        ),
      );
  if (isTrue(next, 'Complete') && isTrue(next, 'Failed'))
    errors.push(
      invalid(
        'status.conditions',
        next.status?.conditions,
        'cannot set Complete=True and Failed=true conditions',
      ),
    );
  return errors;
}
