import { keyOf } from '../../api/object.ts';
import { deployments, pods as podResource, replicaSets } from '../../api/resources.ts';
import { selectorFromLabelSelector } from '../../api/selectors.ts';
import type { Deployment, DeploymentStatus, ReplicaSet } from '../../api/types/apps-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer } from '../../client/informer.ts';
import { isAlreadyExists, isNotFound } from '../../client/status-error.ts';
import { claim } from '../common/claim.ts';
import { type ControllerContext, type ControllerDeclaration, QueueController } from '../common/context.ts';
import { jsonEqual } from '../common/equal.ts';
import { controllerOf } from '../common/owner-references.ts';
import { isNamespaceTerminating } from '../common/pod-control.ts';
import { byController, indexPodsByController } from '../common/pod-informer.ts';
import { revisionAnnotation } from './annotations.ts';
import { type DeploymentAction, hasTemplateOf, planDeployment } from './plan.ts';
import { isRollingUpdate, replicasOf } from './sizes.ts';
import { reasons, setProgress } from './status.ts';

const byOwner = 'deployment-controller/owner';
const orphans = (namespace: string | undefined) => `orphan/${namespace ?? ''}`;

/** Leads each Deployment's ReplicaSets to its present template. */
class DeploymentController extends QueueController {
  readonly #client: ApiClient;
  readonly #now: () => number;
  readonly #events: EventRecorder;
  readonly #deployments: Informer<Deployment>;
  readonly #replicaSets: Informer<ReplicaSet>;
  readonly #pods: Informer<Pod>;

  constructor(context: ControllerContext) {
    super({ sync: (key) => this.#sync(key), log: context.log });
    this.#client = context.client;
    this.#now = context.now;
    this.#events = context.events('deployment-controller');
    this.#deployments = context.informers.informer(deployments);
    this.#replicaSets = context.informers.informer(replicaSets);
    this.#pods = indexPodsByController(context.informers.informer(podResource));
    this.#replicaSets.addIndex(byOwner, (item) => [
      controllerOf(item)?.uid ?? orphans(item.metadata?.namespace),
    ]);
    this.#deployments.on({
      add: (item) => this.queue.add(keyOf(item)),
      update: (item) => this.queue.add(keyOf(item)),
      delete: (item) => this.queue.add(keyOf(item)),
    });
    this.#replicaSets.on({
      add: (item) => this.#enqueueOwner(item),
      update: (item, old) => {
        if (controllerOf(old)?.uid !== controllerOf(item)?.uid) this.#enqueueOwner(old);
        this.#enqueueOwner(item);
      },
      delete: (item) => this.#enqueueOwner(item),
    });
    // Recreate waits for the last old pod; nothing else depends on single pods.
    this.#pods.on({ delete: (pod) => this.#enqueueRecreating(pod) });
  }

  #ownerOf(replicaSet: ReplicaSet): Deployment | undefined {
    const reference = controllerOf(replicaSet);
    if (reference?.kind !== deployments.kind) return undefined;
    const owner = this.#deployments.get(`${replicaSet.metadata?.namespace}/${reference.name}`);
    return owner?.metadata?.uid === reference.uid ? owner : undefined;
  }

  #enqueueOwner(replicaSet: ReplicaSet): void {
    if (controllerOf(replicaSet)) {
      const owner = this.#ownerOf(replicaSet);
      if (owner) this.queue.add(keyOf(owner));
      return;
    }
    for (const item of this.#deployments.values())
      if (
        item.metadata?.namespace === replicaSet.metadata?.namespace &&
        selectorFromLabelSelector(item.spec?.selector).matches(replicaSet.metadata?.labels)
      )
        this.queue.add(keyOf(item));
  }

  #enqueueRecreating(pod: Pod): void {
    const reference = controllerOf(pod);
    if (reference?.kind !== replicaSets.kind) return;
    const replicaSet = this.#replicaSets.get(`${pod.metadata?.namespace}/${reference.name}`);
    const owner = replicaSet && this.#ownerOf(replicaSet);
    if (owner && !isRollingUpdate(owner)) this.queue.add(keyOf(owner));
  }

  async #sync(key: string): Promise<void> {
    const deployment = this.#deployments.get(key);
    if (!deployment) return;
    const selector = selectorFromLabelSelector(deployment.spec?.selector);
    if (selector.empty) {
      this.#events.event(
        deployment,
        'Warning',
        'SelectingAll',
        'This deployment is selecting all pods. A non-empty selector is required.',
      );
      const observedGeneration = deployment.metadata?.generation;
      await this.#updateStatus(deployment, { ...deployment.status, observedGeneration });
      return;
    }
    const { uid = '', namespace } = deployment.metadata ?? {};
    const owned = await claim({
      client: this.#client,
      owner: deployment,
      ownerResource: deployments,
      resource: replicaSets,
      selector,
      candidates: [
        ...this.#replicaSets.byIndex(byOwner, uid),
        ...this.#replicaSets.byIndex(byOwner, orphans(namespace)),
      ],
    });
    const pods = new Map(
      isRollingUpdate(deployment)
        ? []
        : owned.map((item) => {
            const owner = item.metadata?.uid ?? '';
            return [owner, this.#pods.byIndex(byController, owner)] as const;
          }),
    );
    const plan = planDeployment({ deployment, replicaSets: owned, pods }, this.#now());
    for (const action of plan.actions) if (!(await this.#execute(deployment, action))) return;
    await this.#updateStatus(deployment, plan.status, plan.revision);
    if (plan.again !== undefined) this.queue.addAfter(key, plan.again);
  }

  /** Returns whether the plan may go on. */
  async #execute(deployment: Deployment, action: DeploymentAction): Promise<boolean> {
    const { replicaSet } = action;
    const { name = '', namespace, uid } = replicaSet.metadata ?? {};
    switch (action.type) {
      case 'create':
        return this.#create(deployment, replicaSet);
      case 'update':
        await this.#client.update(replicaSets, replicaSet);
        this.#tellScaled(deployment, replicaSet, action.from);
        return true;
      case 'delete':
        try {
          await this.#client.delete(replicaSets, { name, namespace }, { preconditions: { uid } });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
        return true;
    }
  }

  #tellScaled(deployment: Deployment, replicaSet: ReplicaSet, from: number): void {
    const to = replicasOf(replicaSet);
    if (to === from) return;
    const direction = to > from ? 'up' : 'down';
    this.#events.event(
      deployment,
      'Normal',
      'ScalingReplicaSet',
      `Scaled ${direction} replica set ${replicaSet.metadata?.name} from ${from} to ${to}`,
    );
  }

  async #create(deployment: Deployment, replicaSet: ReplicaSet): Promise<boolean> {
    const { name = '', namespace } = replicaSet.metadata ?? {};
    try {
      await this.#client.create(replicaSets, replicaSet);
      this.#tellScaled(deployment, replicaSet, 0);
      return true;
    } catch (error) {
      if (isNamespaceTerminating(error)) return false;
      if (isAlreadyExists(error)) {
        const live = await this.#client.get(replicaSets, { name, namespace });
        // Our own earlier creation that the copy does not show yet: its event will bring us back.
        if (controllerOf(live)?.uid === deployment.metadata?.uid && hasTemplateOf(live, deployment))
          return false;
        const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
        await this.#updateStatus(deployment, { ...deployment.status, collisionCount });
        return false;
      }
      const message = `Failed to create new replica set ${JSON.stringify(name)}: ${(error as Error).message}`;
      const condition = { type: 'Progressing', status: 'False', reason: reasons.createFailed, message };
      const conditions = setProgress(deployment.status?.conditions ?? [], condition, this.#now());
      this.#events.event(deployment, 'Warning', reasons.createFailed, message);
      await this.#updateStatus(deployment, { ...deployment.status, conditions });
      throw error;
    }
  }

  /** The revision is stored in the same write, as a status update may set annotations of a Deployment. */
  async #updateStatus(deployment: Deployment, status: DeploymentStatus, revision = 0): Promise<void> {
    const text = String(revision);
    const annotations = { ...deployment.metadata?.annotations };
    if (revision > 0) annotations[revisionAnnotation] = text;
    if (
      sameStatus(deployment.status, status) &&
      jsonEqual(annotations, deployment.metadata?.annotations ?? {})
    )
      return;
    const metadata = { ...deployment.metadata, annotations };
    await this.#client.update(deployments, { ...deployment, metadata, status }, { subresource: 'status' });
  }
}

/** Absent numbers count as 0: the server leaves them out. */
function sameStatus(stored: DeploymentStatus | undefined, planned: DeploymentStatus): boolean {
  const normal = (status: DeploymentStatus | undefined) =>
    Object.fromEntries(
      Object.entries(status ?? {}).filter(
        ([, value]) => value !== 0 && value !== undefined && !(Array.isArray(value) && value.length === 0),
      ),
    );
  return jsonEqual(normal(stored), normal(planned));
}

export const deploymentController: ControllerDeclaration = {
  name: 'deployment-controller',
  aliases: ['deployment'],
  setUp: (context) => new DeploymentController(context),
};
