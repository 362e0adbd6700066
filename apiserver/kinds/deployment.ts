import { deployments } from '../../api/resources.ts';
import { formatLabelSelector } from '../../api/selectors.ts';
import type { Deployment } from '../../api/types/apps-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, keepStatusAndCount, nameColumn, startGeneration } from './common.ts';
import { defaultPodTemplate } from './pod-template.ts';
import { templateColumns } from './pod-template-columns.ts';

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
  status: {
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
