import { type KubeObject, keyOf } from '../../api/object.ts';
import type { Selector } from '../../api/selectors.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { Informer } from '../../client/informer.ts';
import type { Expectations } from './expectations.ts';
import { controllerOf } from './owner-references.ts';

/** Index of pods by the uid of their controller; pods without one are under `orphan/<namespace>`. */
export const byController = 'controller';

const orphanOf = (namespace: string | undefined) => `orphan/${namespace ?? ''}`;

/** Adds the index that all controllers with pods share. */
export const indexPodsByController = (pods: Informer<Pod>): Informer<Pod> =>
  pods.addIndex(byController, (pod) => [controllerOf(pod)?.uid ?? orphanOf(pod.metadata?.namespace)]);

/** The pods of a namespace that nothing controls. */
export const orphansIn = (pods: Informer<Pod>, namespace: string): Pod[] =>
  pods.byIndex(byController, orphanOf(namespace));

export interface FollowPodsOptions<O extends KubeObject> {
  pods: Informer<Pod>;
  owners: Informer<O>;
  /** Kind of the owners, as it stands in owner references. */
  kind: string;
  expectations: Expectations;
  /** Which orphans an owner would adopt. */
  selectorOf(owner: O): Selector;
  enqueue(owner: O, pod: Pod): void;
}

/** Leads every change of a pod to the owner that it concerns, and tells the expectations what was seen. */
export function followPods<O extends KubeObject>(options: FollowPodsOptions<O>): void {
  const { pods, owners, kind, expectations, enqueue } = options;

  const ownerOf = (pod: Pod): O | undefined => {
    const reference = controllerOf(pod);
    if (reference?.kind !== kind) return undefined;
    const owner = owners.get(`${pod.metadata?.namespace}/${reference.name}`);
    return owner?.metadata?.uid === reference.uid ? owner : undefined;
  };
  const enqueueAdopters = (pod: Pod) => {
    for (const owner of owners.values())
      if (
        owner.metadata?.namespace === pod.metadata?.namespace &&
        !owner.metadata?.deletionTimestamp &&
        options.selectorOf(owner).matches(pod.metadata?.labels)
      )
        enqueue(owner, pod);
  };
  const deleted = (pod: Pod) => {
    const owner = ownerOf(pod);
    if (!owner) return;
    expectations.deletionObserved(keyOf(owner), keyOf(pod));
    enqueue(owner, pod);
  };

  pods.on({
    add: (pod) => {
      const owner = ownerOf(pod);
      if (owner) expectations.creationObserved(keyOf(owner));
      // After a gap in the watch a pod may be seen for the first time when it is already on its way out.
      if (pod.metadata?.deletionTimestamp) deleted(pod);
      else if (owner) enqueue(owner, pod);
      else if (!controllerOf(pod)) enqueueAdopters(pod);
    },
    update: (pod, old) => {
      if (pod.metadata?.deletionTimestamp) deleted(pod);
      const before = ownerOf(old);
      const after = ownerOf(pod);
      if (before && before !== after) enqueue(before, pod);
      if (after) enqueue(after, pod);
      else if (!controllerOf(pod) && (controllerOf(old) || !sameLabels(pod, old))) enqueueAdopters(pod);
    },
    delete: deleted,
  });
}

function sameLabels(a: Pod, b: Pod): boolean {
  const left = a.metadata?.labels ?? {};
  const right = b.metadata?.labels ?? {};
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => left[key] === right[key]);
}

/** Index of pods by the node that they are bound to. */
export const byNode = 'node';

export const indexPodsByNode = (pods: Informer<Pod>): Informer<Pod> =>
  pods.addIndex(byNode, (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
