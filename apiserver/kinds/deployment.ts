import { type FieldProblem, forbidden, invalid, notSupported, required } from '../../api/field-error.ts';
import { dns1123Subdomain } from '../../api/names.ts';
import { deployments } from '../../api/resources.ts';
import { formatLabelSelector } from '../../api/selectors.ts';
import type { Deployment } from '../../api/types/apps-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, keepStatusAndCount, nameColumn, startGeneration } from './common.ts';
import {
  validateImmutable,
  validateMetadata,
  validateMetadataUpdate,
  validateNonnegative,
  validateStatusMetadata,
} from './metadata-validation.ts';
import { defaultPodTemplate } from './pod-template.ts';
import { templateColumns } from './pod-template-columns.ts';
import { workloadWarnings } from './pod-warnings.ts';
import {
  countOrPercent,
  validateAtMostAll,
  validateCountOrPercent,
  validateReplicaStatus,
  validateSelectedTemplate,
} from './workload-validation.ts';

function validateStrategy(errors: FieldProblem[], spec: NonNullable<Deployment['spec']>): void {
  const { type, rollingUpdate } = spec.strategy ?? {};
  const field = 'spec.strategy';
  if (type === 'Recreate') {
    if (rollingUpdate)
      errors.push(
        forbidden(`${field}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'"),
      );
  } else if (type !== 'RollingUpdate')
    errors.push(notSupported(`${field}.type`, type ?? '', ['Recreate', 'RollingUpdate']));
  else if (!rollingUpdate)
    errors.push(required(`${field}.rollingUpdate`, 'this should be defaulted and never be nil'));
  else {
    const { maxUnavailable = 0, maxSurge = 0 } = rollingUpdate;
    validateCountOrPercent(errors, `${field}.rollingUpdate.maxUnavailable`, maxUnavailable);
    validateCountOrPercent(errors, `${field}.rollingUpdate.maxSurge`, maxSurge);
    if (countOrPercent(maxUnavailable) === 0 && countOrPercent(maxSurge) === 0)
      errors.push(
        invalid(`${field}.rollingUpdate.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'),
      );
    validateAtMostAll(errors, `${field}.rollingUpdate.maxUnavailable`, maxUnavailable);
  }
}

function validateDeployment(object: Deployment): FieldProblem[] {
  const errors = validateMetadata(object, true, dns1123Subdomain);
  const { spec } = object;
  if (!spec) return [...errors, required('spec.selector'), required('spec.template.spec.containers')];
  validateNonnegative(errors, 'spec.replicas', spec.replicas);
  validateSelectedTemplate(errors, spec, 'deployment');
  validateStrategy(errors, spec);
  validateNonnegative(errors, 'spec.minReadySeconds', spec.minReadySeconds);
  validateNonnegative(errors, 'spec.revisionHistoryLimit', spec.revisionHistoryLimit);
  const deadline = spec.progressDeadlineSeconds;
  validateNonnegative(errors, 'spec.progressDeadlineSeconds', deadline);
  if (deadline !== undefined && deadline <= (spec.minReadySeconds ?? 0))
    errors.push(invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'));
  return errors;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/ */
export const deployment: KindDeclaration<Deployment> = {
  ...deployments,
  singular: 'deployment',
  listKind: 'DeploymentList',
  shortNames: ['deploy'],
  categories: ['all'],
  verbs: allVerbs,
  schema: 'io.k8s.api.apps.v1.Deployment',
  defaults({ spec }) {
    if (!spec) return;
    spec.replicas ??= 1;
    spec.strategy ??= {};
    spec.strategy.type ||= 'RollingUpdate';
    if (spec.strategy.type === 'RollingUpdate') {
      spec.strategy.rollingUpdate ??= {};
      spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
      spec.strategy.rollingUpdate.maxSurge ??= '25%';
    }
    spec.revisionHistoryLimit ??= 10;
    spec.progressDeadlineSeconds ??= 600;
    defaultPodTemplate(spec.template);
  },
  prepareForCreate(object) {
    startGeneration(object);
    object.status = {};
  },
  prepareForUpdate(next, previous) {
    keepStatusAndCount(next, previous);
    // A change of annotations is a change that the controller must copy to the replica sets.
    const annotations = (object: Deployment) =>
      JSON.stringify(Object.entries(object.metadata?.annotations ?? {}).sort());
    if (next.metadata && next.metadata.generation === previous.metadata?.generation)
      if (annotations(next) !== annotations(previous))
        next.metadata.generation = (previous.metadata?.generation ?? 0) + 1;
  },
  warnings: workloadWarnings,
  validate: validateDeployment,
  validateUpdate(next, previous) {
    const errors = validateMetadataUpdate(next, previous);
    validateImmutable(errors, 'spec.selector', next.spec?.selector, previous.spec?.selector);
    return errors;
  },
  status: {
    validateUpdate(next, previous) {
      const errors = validateStatusMetadata(next, previous);
      validateReplicaStatus(errors, next.status);
      const [before, after] = [previous.status?.collisionCount, next.status?.collisionCount];
      if (before !== undefined && (after ?? -1) < before)
        errors.push(invalid('status.collisionCount', after, 'cannot be decremented'));
      return errors;
    },
    prepareForUpdate(next, previous) {
      next.spec = previous.spec;
      if (next.metadata) next.metadata.labels = previous.metadata?.labels;
    },
  },
  scale: {
    specReplicas: (object) => object.spec?.replicas ?? 0,
    setSpecReplicas(object, replicas) {
      if (object.spec) object.spec.replicas = replicas;
    },
    statusReplicas: (object) => object.status?.replicas ?? 0,
    selector: (object) => formatLabelSelector(object.spec?.selector),
  },
  columns: [
    nameColumn,
    {
      name: 'Ready',
      type: 'string',
      description: 'Number of pods that are ready, of those wanted.',
      value: (object) => `${object.status?.readyReplicas ?? 0}/${object.spec?.replicas ?? 0}`,
    },
    {
      name: 'Up-to-date',
      type: 'string',
      description: 'Number of pods of the current template.',
      value: (object) => object.status?.updatedReplicas ?? 0,
    },
    {
      name: 'Available',
      type: 'string',
      description: 'Number of pods that have been ready for long enough.',
      value: (object) => object.status?.availableReplicas ?? 0,
    },
    ageColumn,
    ...templateColumns,
  ],
};
