import { deployments, jobs, replicaSets } from '../../api/resources.ts';
import type { Deployment, DeploymentSpec, ReplicaSet, ReplicaSetStatus } from '../../api/types/apps-v1.ts';
import type { Job, JobSpec, JobStatus } from '../../api/types/batch-v1.ts';
import type { Node, Pod, PodTemplateSpec, Service, ServiceSpec, Taint } from '../../api/types/core-v1.ts';
import type { ObjectMeta } from '../../api/types/meta-v1.ts';
import { controllerReference } from '../common/owner-references.ts';
import { timestamp } from '../common/time.ts';

/** Objects for tests of plans: only what a test says about them, and what every object has. */

export const at = (seconds: number): string => timestamp(seconds * 1000);

export interface PodFacts {
  node?: string;
  phase?: string;
  /** Seconds since the epoch at which it became ready. */
  readySince?: number;
  created?: number;
  deleted?: boolean;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  restarts?: number;
  ip?: string;
  owner?: { object: ReplicaSet | Job; resource: typeof replicaSets | typeof jobs };
  spec?: Partial<NonNullable<Pod['spec']>>;
  status?: Partial<NonNullable<Pod['status']>>;
}

export function aPod(name: string, facts: PodFacts = {}): Pod {
  const { node, phase = 'Running', readySince, created = 0, restarts, ip } = facts;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'ns',
      uid: `uid-${name}`,
      creationTimestamp: at(created),
      ...(facts.labels && { labels: facts.labels }),
      ...(facts.annotations && { annotations: facts.annotations }),
      ...(facts.finalizers && { finalizers: facts.finalizers }),
      ...(facts.deleted && { deletionTimestamp: at(created + 1) }),
      ...(facts.owner && {
        ownerReferences: [controllerReference(facts.owner.object, facts.owner.resource)],
      }),
    },
    spec: { containers: [{ name: 'c', image: 'i' }], ...(node && { nodeName: node }), ...facts.spec },
    status: {
      phase,
      ...(ip && { podIP: ip, podIPs: [{ ip }] }),
      conditions: [
        readySince === undefined
          ? { type: 'Ready', status: 'False' }
          : { type: 'Ready', status: 'True', lastTransitionTime: at(readySince) },
      ],
      ...(restarts !== undefined && {
        containerStatuses: [{ name: 'c', image: 'i', imageID: '', ready: true, restartCount: restarts }],
      }),
      ...facts.status,
    },
  };
}

export const aTemplate = (
  image = 'web:1',
  labels: Record<string, string> = { app: 'web' },
): PodTemplateSpec => ({
  metadata: { labels },
  spec: { containers: [{ name: 'web', image }] },
});

export function aDeployment(spec: Partial<DeploymentSpec> = {}, more: Partial<Deployment> = {}): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: deployments.kind,
    metadata: {
      name: 'web',
      namespace: 'ns',
      uid: 'uid-web',
      generation: 1,
      creationTimestamp: at(0),
      ...more.metadata,
    },
    spec: {
      replicas: 3,
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 10,
      selector: { matchLabels: { app: 'web' } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      template: aTemplate(),
      ...spec,
    },
    ...(more.status && { status: more.status }),
  };
}

export function aReplicaSet(
  name: string,
  replicas: number,
  more: { status?: Partial<ReplicaSetStatus>; template?: PodTemplateSpec; metadata?: ObjectMeta } = {},
): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: replicaSets.kind,
    metadata: {
      name,
      namespace: 'ns',
      uid: `uid-${name}`,
      generation: 1,
      creationTimestamp: at(0),
      ...more.metadata,
    },
    spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: more.template ?? aTemplate() },
    status: { replicas, observedGeneration: 1, ...more.status },
  };
}

export function aJob(spec: Partial<JobSpec> = {}, status?: JobStatus): Job {
  return {
    apiVersion: 'batch/v1',
    kind: jobs.kind,
    metadata: { name: 'work', namespace: 'ns', uid: 'uid-work', creationTimestamp: at(0) },
    spec: {
      parallelism: 1,
      completions: 1,
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      selector: { matchLabels: { job: 'work' } },
      template: { metadata: { labels: { job: 'work' } }, spec: { containers: [], restartPolicy: 'Never' } },
      ...spec,
    },
    ...(status && { status }),
  };
}

export function aService(spec: Partial<ServiceSpec> = {}, metadata: ObjectMeta = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'ns', uid: 'uid-service', ...metadata },
    spec: {
      clusterIP: '10.96.0.7',
      selector: { app: 'web' },
      ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }],
      ipFamilies: ['IPv4'],
      ...spec,
    },
  };
}

export function aNode(
  name: string,
  facts: {
    ready?: string;
    taints?: Taint[];
    unschedulable?: boolean;
    podCIDR?: string;
    created?: number;
  } = {},
): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `uid-${name}`, creationTimestamp: at(facts.created ?? 0) },
    spec: {
      ...(facts.taints && { taints: facts.taints }),
      ...(facts.unschedulable && { unschedulable: true }),
      ...(facts.podCIDR && { podCIDR: facts.podCIDR }),
    },
    status: {
      conditions: facts.ready
        ? [{ type: 'Ready', status: facts.ready, lastHeartbeatTime: at(0), lastTransitionTime: at(0) }]
        : [],
    },
  };
}
