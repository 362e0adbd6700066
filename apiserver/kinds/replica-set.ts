import { required } from '../../api/field-error.ts';
import { dns1123Subdomain } from '../../api/names.ts';
import { replicaSets } from '../../api/resources.ts';
import { formatLabelSelector } from '../../api/selectors.ts';
import type { ReplicaSet } from '../../api/types/apps-v1.ts';
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
import { validateReplicaStatus, validateSelectedTemplate } from './workload-validation.ts';

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/replica-set-v1/ */
export const replicaSet: KindDeclaration<ReplicaSet> = {
  ...replicaSets,
  singular: 'replicaset',
  listKind: 'ReplicaSetList',
  shortNames: ['rs'],
  categories: ['all'],
  verbs: allVerbs,
  schema: 'io.k8s.api.apps.v1.ReplicaSet',
  defaults(object) {
    if (!object.spec) return;
    object.spec.replicas ??= 1;
    defaultPodTemplate(object.spec.template);
  },
  prepareForCreate(object) {
    startGeneration(object);
    object.status = { replicas: 0 };
  },
  prepareForUpdate: keepStatusAndCount,
  warnings: workloadWarnings,
  validate(object) {
    const errors = validateMetadata(object, true, dns1123Subdomain);
    const { spec } = object;
    if (!spec) return [...errors, required('spec.selector'), required('spec.template.spec.containers')];
    validateNonnegative(errors, 'spec.replicas', spec.replicas);
    validateNonnegative(errors, 'spec.minReadySeconds', spec.minReadySeconds);
    validateSelectedTemplate(errors, spec, 'replicaset');
    return errors;
  },
  validateUpdate(next, previous) {
    const errors = validateMetadataUpdate(next, previous);
    validateImmutable(errors, 'spec.selector', next.spec?.selector, previous.spec?.selector);
    return errors;
  },
  status: {
    validateUpdate(next, previous) {
      const errors = validateStatusMetadata(next, previous);
      validateReplicaStatus(errors, next.status);
      return errors;
    },
    prepareForUpdate(next, previous) {
      next.spec = previous.spec;
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
  selectableFields: { 'status.replicas': (object) => String(object.status?.replicas ?? 0) },
  columns: [
    nameColumn,
    {
      name: 'Desired',
      type: 'integer',
      description: 'Number of pods wanted.',
      value: (object) => object.spec?.replicas ?? 0,
    },
    {
      name: 'Current',
      type: 'integer',
      description: 'Number of pods that exist.',
      value: (object) => object.status?.replicas ?? 0,
    },
    {
      name: 'Ready',
      type: 'integer',
      description: 'Number of pods that are ready.',
      value: (object) => object.status?.readyReplicas ?? 0,
    },
    ageColumn,
    ...templateColumns,
  ],
};
