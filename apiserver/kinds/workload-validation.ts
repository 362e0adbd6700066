import { type FieldProblem, forbidden, invalid, notSupported, required } from '../../api/field-error.ts';
import { regexMessage } from '../../api/names.ts';
import { SelectorError, selectorFromLabelSelector } from '../../api/selectors.ts';
import type { PodTemplateSpec } from '../../api/types/core-v1.ts';
import type { LabelSelector } from '../../api/types/meta-v1.ts';
import {
  validateAnnotations,
  validateLabelSelector,
  validateLabels,
  validateNonnegative,
} from './metadata-validation.ts';
import { validatePodSpec } from './pod-spec-validation.ts';

/** The template of a workload's pods. */
export function validateTemplate(
  errors: FieldProblem[],
  field: string,
  template: PodTemplateSpec | undefined,
): void {
  validateLabels(errors, `${field}.labels`, template?.metadata?.labels);
  validateAnnotations(errors, `${field}.annotations`, template?.metadata?.annotations);
  if (!template?.spec) {
    errors.push(required(`${field}.spec.containers`));
    return;
  }
  validatePodSpec(errors, `${field}.spec`, template.spec, false);
  if (template.spec.ephemeralContainers?.length)
    errors.push(
      forbidden(`${field}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'),
    );
}

/** The selector must be there, say something, and match the labels of the template. */
export function validateSelectedTemplate(
  errors: FieldProblem[],
  spec: { selector?: LabelSelector; template?: PodTemplateSpec },
  kind: 'deployment' | 'replicaset',
): void {
  const { selector, template } = spec;
  if (!selector) errors.push(required('spec.selector'));
  else {
    validateLabelSelector(errors, 'spec.selector', selector);
    if (!Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length)
      errors.push(invalid('spec.selector', selector, `empty selector is invalid for ${kind}`));
  }
  try {
    const matcher = selectorFromLabelSelector(selector);
    if (selector && !matcher.empty && !matcher.matches(template?.metadata?.labels))
      errors.push(
        invalid(
          'spec.template.metadata.labels',
          template?.metadata?.labels ?? {},
          '`selector` does not match template `labels`',
        ),
      );
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    errors.push(
      invalid('spec.selector', selector, kind === 'deployment' ? 'invalid label selector' : error.message),
    );
    return;
  }
  validateTemplate(errors, 'spec.template', template);
  const policy = template?.spec?.restartPolicy;
  if (template?.spec && policy !== 'Always')
    errors.push(notSupported('spec.template.spec.restartPolicy', policy ?? '', ['Always']));
  if (template?.spec?.activeDeadlineSeconds !== undefined)
    errors.push(
      forbidden(
        'spec.template.spec.activeDeadlineSeconds',
        'activeDeadlineSeconds in ReplicaSet is not Supported',
      ),
    );
}

const percent = /^[0-9]+%$/;

/** A count, or a share such as `25%`. */
export function validateCountOrPercent(errors: FieldProblem[], field: string, value: number | string): void {
  if (typeof value === 'number') validateNonnegative(errors, field, value);
  else if (!percent.test(value))
    errors.push(
      invalid(
        field,
        value,
        regexMessage(
          "a valid percent string must be a numeric string followed by an ending '%'",
          '[0-9]+%',
          '1%',
          '93%',
        ),
      ),
    );
}

/** The number in a count or a percentage; 0 if it is malformed. */
export const countOrPercent = (value: number | string | undefined): number =>
  typeof value === 'number' ? value : percent.test(value ?? '') ? Number.parseInt(value!, 10) : 0;

/** A share of at most everything. */
export function validateAtMostAll(errors: FieldProblem[], field: string, value: number | string): void {
  if (typeof value === 'string' && countOrPercent(value) > 100)
    errors.push(invalid(field, value, 'must not be greater than 100%'));
}

interface ReplicaStatus {
  replicas?: number;
  readyReplicas?: number;
  availableReplicas?: number;
  updatedReplicas?: number;
  fullyLabeledReplicas?: number;
  observedGeneration?: number;
  collisionCount?: number;
}

const parts = ['fullyLabeledReplicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas'] as const;

/** Counts in a status: none negative, no part larger than the whole. */
export function validateReplicaStatus(errors: FieldProblem[], status: ReplicaStatus | undefined): void {
  if (!status) return;
  for (const name of ['replicas', ...parts, 'observedGeneration', 'collisionCount'] as const)
    validateNonnegative(errors, `status.${name}`, status[name]);
  for (const name of parts)
    if ((status[name] ?? 0) > (status.replicas ?? 0))
      errors.push(invalid(`status.${name}`, status[name], 'cannot be greater than status.replicas'));
  if ((status.availableReplicas ?? 0) > (status.readyReplicas ?? 0))
    errors.push(
      invalid('status.availableReplicas', status.availableReplicas, 'cannot be greater than readyReplicas'),
    );
}
