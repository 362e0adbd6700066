import { replicaSets } from '../../api/resources.ts';
import { formatLabelSelector } from '../../api/selectors.ts';
import type { ReplicaSet } from '../../api/types/apps-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, keepStatusAndCount, nameColumn, startGeneration } from './common.ts';
import { defaultPodTemplate } from './pod-template.ts';
import { templateColumns } from './pod-template-columns.ts';

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
  status: {
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
