import { keyOf } from '../../api/object.ts';
import { pods as podResource, replicaSets } from '../../api/resources.ts';
import { selectorFromLabelSelector } from '../../api/selectors.ts';
import type { ReplicaSet, ReplicaSetStatus } from '../../api/types/apps-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { Informer } from '../../client/informer.ts';
import { forEachAtOnce, inGrowingBatches } from '../common/batches.ts';
import { claim } from '../common/claim.ts';
import { type ControllerContext, type ControllerDeclaration, QueueController } from '../common/context.ts';
import { Expectations } from '../common/expectations.ts';
import { controllerOf } from '../common/owner-references.ts';
import { isNamespaceTerminating, PodControl, podFromTemplate } from '../common/pod-control.ts';
import { byController, followPods, indexPodsByController, orphansIn } from '../common/pod-informer.ts';
import { isPodActive } from '../common/pod-state.ts';
import {
  nextAvailable,
  planReplicas,
  planStatus,
  type ReplicaSetAction,
  type ReplicasFailure,
  sameStatus,
} from './plan.ts';

const byOwner = 'replicaset-controller/owner';

/** Keeps as many pods as each ReplicaSet asks for. */
class ReplicaSetController extends QueueController {
  readonly #client: ApiClient;
  readonly #now: () => number;
  readonly #control: PodControl;
  readonly #expectations: Expectations;
  readonly #replicaSets: Informer<ReplicaSet>;
  readonly #pods: Informer<Pod>;

  constructor(context: ControllerContext) {
    super({ sync: (key) => this.#sync(key), log: context.log });
    this.#client = context.client;
    this.#now = context.now;
    this.#expectations = new Expectations(context.now);
    this.#control = new PodControl({
      client: context.client,
      events: context.events('replicaset-controller'),
    });
    this.#replicaSets = context.informers.informer(replicaSets);
    this.#pods = indexPodsByController(context.informers.informer(podResource));
    this.#replicaSets.addIndex(byOwner, (item) => [controllerOf(item)?.uid ?? '']);
    this.#replicaSets.on({
      add: (item) => this.queue.add(keyOf(item)),
      update: (item) => this.queue.add(keyOf(item)),
      delete: (item) => {
        this.#expectations.forget(keyOf(item));
        this.queue.add(keyOf(item));
      },
    });
    followPods({
      pods: this.#pods,
      owners: this.#replicaSets,
      kind: replicaSets.kind,
      expectations: this.#expectations,
      selectorOf: (item) => selectorFromLabelSelector(item.spec?.selector),
      enqueue: (item) => this.queue.add(keyOf(item)),
    });
  }

  async #sync(key: string): Promise<void> {
    const replicaSet = this.#replicaSets.get(key);
    if (!replicaSet) return;
    const outstanding = this.#expectations.pending(key);
    const pods = await this.#claimPods(replicaSet);
    let failure: ReplicasFailure | undefined;
    let error: unknown;
    if (outstanding > 0) this.queue.addAfter(key, outstanding);
    else {
      const observed = { replicaSet, pods, related: this.#relatedPods(replicaSet) };
      const action = planReplicas(observed, this.#now());
      if (action) {
        error = await this.#execute(replicaSet, action);
        if (error) failure = { missing: action.type === 'create', message: (error as Error).message };
      }
    }
    await this.#updateStatus(replicaSet, planStatus(replicaSet, pods, { now: this.#now(), failure }));
    const wait = nextAvailable(pods, replicaSet.spec?.minReadySeconds ?? 0, this.#now());
    if (wait !== undefined) this.queue.addAfter(key, wait + 1);
    if (error) throw error;
  }

  #claimPods(replicaSet: ReplicaSet): Promise<Pod[]> {
    const { namespace = '', uid = '' } = replicaSet.metadata ?? {};
    const candidates = [...this.#pods.byIndex(byController, uid), ...orphansIn(this.#pods, namespace)];
    return claim({
      client: this.#client,
      owner: replicaSet,
      ownerResource: replicaSets,
      resource: podResource,
      selector: selectorFromLabelSelector(replicaSet.spec?.selector),
      candidates: candidates.filter(isPodActive),
    });
  }

  *#relatedPods(replicaSet: ReplicaSet): Iterable<Pod> {
    const owner = controllerOf(replicaSet)?.uid;
    const siblings = owner ? this.#replicaSets.byIndex(byOwner, owner) : [replicaSet];
    for (const sibling of siblings)
      for (const pod of this.#pods.byIndex(byController, sibling.metadata?.uid ?? ''))
        if (isPodActive(pod)) yield pod;
  }

  async #execute(replicaSet: ReplicaSet, action: ReplicaSetAction): Promise<unknown> {
    const key = keyOf(replicaSet);
    if (action.type === 'delete') {
      for (const pod of action.pods) this.#expectations.expectDeletion(key, keyOf(pod));
      const failures = await forEachAtOnce(action.pods, 32, async (pod) => {
        try {
          await this.#control.delete(replicaSet, pod);
        } catch (error) {
          this.#expectations.deletionObserved(key, keyOf(pod));
          throw error;
        }
        // Gone from the copy already: no event will come for it.
        if (!this.#pods.get(keyOf(pod))) this.#expectations.deletionObserved(key, keyOf(pod));
      });
      return failures[0];
    }
    const template = replicaSet.spec?.template;
    if (!template) return undefined;
    this.#expectations.expectCreations(key, action.count);
    let ending = false;
    const result = await inGrowingBatches(action.count, async () => {
      try {
        await this.#control.create(replicaSet, podFromTemplate(template, replicaSet, replicaSets));
      } catch (error) {
        this.#expectations.creationFailed(key);
        ending ||= isNamespaceTerminating(error);
        throw error;
      }
    });
    this.#expectations.creationFailed(key, result.skipped);
    return ending ? undefined : result.error;
  }

  async #updateStatus(replicaSet: ReplicaSet, status: ReplicaSetStatus): Promise<void> {
    if (sameStatus(replicaSet.status, status)) return;
    await this.#client.update(replicaSets, { ...replicaSet, status }, { subresource: 'status' });
  }
}

export const replicaSetController: ControllerDeclaration = {
  name: 'replicaset-controller',
  aliases: ['replicaset'],
  setUp: (context) => new ReplicaSetController(context),
};
