import { pods } from '../../api/resources.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { allVerbs, countGeneration, startGeneration } from './common.ts';
import { podColumns } from './pod-columns.ts';
import { defaultPod } from './pod-defaults.ts';
import { qosClass } from './pod-qos.ts';
import { validatePod, validatePodStatusUpdate, validatePodUpdate } from './pod-validation.ts';
import { podWarnings } from './pod-warnings.ts';

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ */
export const pod: KindDeclaration<Pod> = {
  ...pods,
  singular: 'pod',
  listKind: 'PodList',
  shortNames: ['po'],
  categories: ['all'],
  verbs: allVerbs,
  schema: 'io.k8s.api.core.v1.Pod',
  defaults: defaultPod,
  prepareForCreate(object) {
    startGeneration(object);
    object.status = { phase: 'Pending', qosClass: object.spec ? qosClass(object.spec) : 'BestEffort' };
  },
  prepareForUpdate(next, previous) {
    next.status = previous.status;
    countGeneration(next, previous);
  },
  warnings: podWarnings,
  validate: validatePod,
  validateUpdate: validatePodUpdate,
  status: {
    validateUpdate: validatePodStatusUpdate,
    prepareForUpdate(next, previous) {
      next.spec = previous.spec;
      next.metadata ??= {};
      next.metadata.ownerReferences = previous.metadata?.ownerReferences;
      next.metadata.generation = previous.metadata?.generation;
      next.status ??= {};
      // Set once, when the pod is made: it follows from the spec.
      next.status.qosClass = previous.status?.qosClass;
    },
  },
  selectableFields: {
    'spec.nodeName': (object) => object.spec?.nodeName ?? '',
    'spec.restartPolicy': (object) => object.spec?.restartPolicy ?? '',
    'spec.schedulerName': (object) => object.spec?.schedulerName ?? '',
    'spec.serviceAccountName': (object) => object.spec?.serviceAccountName ?? '',
    'spec.hostNetwork': (object) => String(object.spec?.hostNetwork ?? false),
    'status.phase': (object) => object.status?.phase ?? '',
    'status.podIP': (object) => object.status?.podIPs?.[0]?.ip ?? object.status?.podIP ?? '',
    'status.nominatedNodeName': (object) => object.status?.nominatedNodeName ?? '',
  },
  columns: podColumns,
  deleteReturnsObject: true,
  gracePeriodSeconds(object, requested) {
    const phase = object.status?.phase;
    // Nobody would confirm the end of a pod that runs nowhere, or no longer.
    if (!object.spec?.nodeName || phase === 'Succeeded' || phase === 'Failed') return 0;
    const period = requested ?? object.spec.terminationGracePeriodSeconds ?? 0;
    return period < 0 ? 1 : period;
  },
};
