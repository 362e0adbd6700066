import type { Deployment, ReplicaSet } from '../../api/types/apps-v1.ts';

/** https://kubernetes.io/docs/reference/labels-annotations-taints/ */
export const revisionAnnotation = 'deployment.kubernetes.io/revision';
export const revisionHistoryAnnotation = 'deployment.kubernetes.io/revision-history';
export const desiredReplicasAnnotation = 'deployment.kubernetes.io/desired-replicas';
export const maxReplicasAnnotation = 'deployment.kubernetes.io/max-replicas';

/** Annotations of a Deployment that its ReplicaSets do not get. */
const notCopied = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  'deprecated.deployment.rollback.to',
]);

const longestHistory = 2000;

const integer = (text: string | undefined): number | undefined =>
  text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;

/** A ReplicaSet's or Deployment's revision; 0 if it has none. */
export const revisionOf = (object: ReplicaSet | Deployment): number =>
  integer(object.metadata?.annotations?.[revisionAnnotation]) ?? 0;

export const desiredReplicasOf = (replicaSet: ReplicaSet): number | undefined =>
  integer(replicaSet.metadata?.annotations?.[desiredReplicasAnnotation]);

export const maxReplicasOf = (replicaSet: ReplicaSet): number | undefined =>
  integer(replicaSet.metadata?.annotations?.[maxReplicasAnnotation]);

/** The earlier revisions of a ReplicaSet that came back by a rollback, oldest dropped when the list gets too long. */
function history(previous: string | undefined, revision: string): string {
  const revisions = previous ? previous.split(',') : [];
  revisions.push(revision);
  while (revisions.join(',').length > longestHistory && revisions.length > 1) revisions.shift();
  return revisions.join(',');
}

/**
 * The annotations of the ReplicaSet that is the Deployment's current one: the Deployment's own (later
 * removals are not followed, as in Kubernetes) and the revision, which only grows.
 */
export function currentAnnotations(
  deployment: Deployment,
  replicaSet: ReplicaSet | undefined,
  revision: number,
): Record<string, string> {
  const annotations = { ...replicaSet?.metadata?.annotations };
  for (const [key, value] of Object.entries(deployment.metadata?.annotations ?? {}))
    if (!notCopied.has(key)) annotations[key] = value;
  const previous = annotations[revisionAnnotation];
  if ((integer(previous) ?? 0) >= revision) return annotations;
  annotations[revisionAnnotation] = String(revision);
  if (previous !== undefined)
    annotations[revisionHistoryAnnotation] = history(annotations[revisionHistoryAnnotation], previous);
  return annotations;
}

/** What a later sync needs to tell a scaling of the Deployment from a rollout, and to scale in proportion. */
export const sizeAnnotations = (desired: number, most: number): Record<string, string> => ({
  [desiredReplicasAnnotation]: String(desired),
  [maxReplicasAnnotation]: String(most),
});
