import { findCondition } from '../../api/conditions.ts';
import { replicaSets } from '../../api/resources.ts';
import type {
  Deployment,
  DeploymentCondition,
  DeploymentStatus,
  ReplicaSet,
} from '../../api/types/apps-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { jsonEqual } from '../common/equal.ts';
import { controllerReference } from '../common/owner-references.ts';
import { isPodTerminal } from '../common/pod-state.ts';
import { currentAnnotations, revisionOf, sizeAnnotations } from './annotations.ts';
import { hashLabel, podTemplateHash } from './hash.ts';
import { planCurrent, planOld, planScale, type Scaling, wasScaled } from './scaling.ts';
import {
  byAge,
  isRollingUpdate,
  maxSurge,
  newReplicaSetSize,
  replicasOf,
  specReplicas,
  statusReplicas,
} from './sizes.ts';
import {
  calculateStatus,
  isComplete,
  progressDeadline,
  reasons,
  rolloutStatus,
  setProgress,
  timeToDeadline,
} from './status.ts';

export interface ObservedDeployment {
  deployment: Deployment;
  /** The ReplicaSets that it controls. */
  replicaSets: readonly ReplicaSet[];
  /** Pods of these ReplicaSets in any state, by the ReplicaSet's uid. Needed for Recreate only. */
  pods: ReadonlyMap<string, readonly Pod[]>;
}

/** One write, in the order in which the writes are to be made. */
export type DeploymentAction =
  | { type: 'create'; replicaSet: ReplicaSet }
  /** The ReplicaSet as it is to be; `from` is its present size. */
  | { type: 'update'; replicaSet: ReplicaSet; from: number }
  | { type: 'delete'; replicaSet: ReplicaSet };

export interface DeploymentPlan {
  actions: DeploymentAction[];
  /** To be stored once all actions have succeeded, with the revision as annotation. */
  status: DeploymentStatus;
  revision: number;
  /** Milliseconds after which time alone changes the plan. */
  again?: number | undefined;
}

const withoutHash = (replicaSet: ReplicaSet | Deployment) => {
  const template = replicaSet.spec?.template;
  const { [hashLabel]: _, ...labels } = template?.metadata?.labels ?? {};
  return { ...template, metadata: { ...template?.metadata, labels } };
};

/** Whether a ReplicaSet runs exactly the Deployment's template. */
export const hasTemplateOf = (replicaSet: ReplicaSet, deployment: Deployment): boolean =>
  jsonEqual(withoutHash(replicaSet), withoutHash(deployment));

/** The current ReplicaSet: the oldest with the Deployment's template, so that there is never doubt. */
export function findCurrent(deployment: Deployment, all: readonly ReplicaSet[]): ReplicaSet | undefined {
  return [...all].sort(byAge).find((item) => hasTemplateOf(item, deployment));
}

/** The ReplicaSet of a Deployment's present template, of the size that the strategy allows. */
export function newReplicaSet(
  deployment: Deployment,
  old: readonly ReplicaSet[],
  revision: number,
): ReplicaSet {
  const template = deployment.spec!.template;
  const hash = podTemplateHash(template, deployment.status?.collisionCount);
  const labels = { ...template.metadata?.labels, [hashLabel]: hash };
  const selector = deployment.spec!.selector;
  const empty: ReplicaSet = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata?.name}-${hash}`,
      namespace: deployment.metadata?.namespace,
      labels,
      annotations: {
        ...currentAnnotations(deployment, undefined, revision),
        ...sizeAnnotations(replicasOf(deployment), replicasOf(deployment) + maxSurge(deployment)),
      },
      ownerReferences: [controllerReference(deployment, { ...replicaSets, kind: 'Deployment' })],
    },
    spec: {
      replicas: 0,
      ...(deployment.spec?.minReadySeconds && { minReadySeconds: deployment.spec.minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
  const replicas = newReplicaSetSize(deployment, [...old, empty], empty);
  return { ...empty, spec: { ...empty.spec!, replicas } };
}

/** The writes that lead a Deployment one step further, and the status that it has then. */
export function planDeployment(observed: ObservedDeployment, now: number): DeploymentPlan {
  return new Planner(observed, now).plan();
}

/** Holds what one plan has decided so far: later decisions see the sizes that earlier ones give. */
class Planner {
  readonly #deployment: Deployment;
  readonly #pods: ReadonlyMap<string, readonly Pod[]>;
  readonly #now: number;
  readonly #actions: DeploymentAction[] = [];
  #current: ReplicaSet | undefined;
  #old: ReplicaSet[];
  #revision: number;
  #conditions: DeploymentCondition[];

  constructor(observed: ObservedDeployment, now: number) {
    const { deployment } = observed;
    this.#deployment = deployment;
    this.#pods = observed.pods;
    this.#now = now;
    this.#current = findCurrent(deployment, observed.replicaSets);
    this.#old = observed.replicaSets.filter((item) => item !== this.#current);
    this.#revision = revisionOf(deployment);
    this.#conditions = deployment.status?.conditions ?? [];
  }

  plan(): DeploymentPlan {
    const deployment = this.#deployment;
    if (deployment.metadata?.deletionTimestamp) return this.#result(this.#plainStatus());
    this.#notePause();
    this.#syncCurrent();
    if (deployment.spec?.paused || wasScaled(deployment, this.#all())) {
      this.#scale(planScale(deployment, this.#current, this.#old));
      if (deployment.spec?.paused) this.#cleanUp();
      return this.#result(this.#plainStatus());
    }
    const settled = isRollingUpdate(deployment) ? this.#roll() : this.#recreate();
    const status = rolloutStatus(deployment, this.#current, this.#old, {
      conditions: this.#conditions,
      now: this.#now,
    });
    if (settled && isComplete(deployment, deployment.status ?? {})) this.#cleanUp();
    const left = timeToDeadline(deployment, status, this.#now);
    const timedOut = findCondition(status.conditions, 'Progressing')?.reason === reasons.timedOut;
    // A second more, as stored times are whole seconds.
    return this.#result(status, left === undefined || timedOut ? undefined : left + 1000);
  }

  #all(): ReplicaSet[] {
    return this.#current ? [...this.#old, this.#current] : this.#old;
  }

  #result(status: DeploymentStatus, again?: number): DeploymentPlan {
    return { actions: this.#actions, status, revision: this.#revision, again };
  }

  #plainStatus(): DeploymentStatus {
    return calculateStatus(this.#deployment, this.#current, this.#old, {
      conditions: this.#conditions,
      now: this.#now,
    });
  }

  #setProgressing(status: string, reason: string, message: string): void {
    if (progressDeadline(this.#deployment) === undefined) return;
    const condition = { type: 'Progressing', status, reason, message };
    this.#conditions = setProgress(this.#conditions, condition, this.#now);
  }

  /** The deadline must not run while the rollout is paused. */
  #notePause(): void {
    const reason = findCondition(this.#conditions, 'Progressing')?.reason;
    if (reason === reasons.timedOut) return;
    const paused = this.#deployment.spec?.paused ?? false;
    if (paused && reason !== reasons.paused)
      this.#setProgressing('Unknown', reasons.paused, 'Deployment is paused');
    else if (!paused && reason === reasons.paused)
      this.#setProgressing('Unknown', reasons.resumed, 'Deployment is resumed');
  }

  /** Gives the current ReplicaSet, if it exists, its revision and what it takes over from the Deployment. */
  #syncCurrent(): void {
    const current = this.#current;
    if (!current) return;
    const annotations = currentAnnotations(this.#deployment, current, this.#nextRevision());
    const minReadySeconds = this.#deployment.spec?.minReadySeconds ?? 0;
    if (
      !jsonEqual(annotations, current.metadata?.annotations ?? {}) ||
      (current.spec?.minReadySeconds ?? 0) !== minReadySeconds
    )
      this.#replace(current, {
        ...current,
        metadata: { ...current.metadata, annotations },
        spec: { ...current.spec!, minReadySeconds },
      });
    this.#revision = revisionOf(this.#current!);
    if (!findCondition(this.#conditions, 'Progressing'))
      this.#setProgressing(
        'True',
        reasons.found,
        `Found new replica set ${JSON.stringify(current.metadata?.name)}`,
      );
  }

  #nextRevision(): number {
    return this.#old.reduce((most, item) => Math.max(most, revisionOf(item)), 0) + 1;
  }

  #create(): ReplicaSet {
    const revision = this.#nextRevision();
    const created = newReplicaSet(this.#deployment, this.#old, revision);
    this.#actions.push({ type: 'create', replicaSet: created });
    this.#current = created;
    this.#revision = revision;
    this.#setProgressing(
      'True',
      reasons.created,
      `Created new replica set ${JSON.stringify(created.metadata?.name)}`,
    );
    return created;
  }

  /** One write a ReplicaSet: what was decided about it before is merged. */
  #replace(before: ReplicaSet, after: ReplicaSet): void {
    const earlier = this.#actions.find((action) => action.replicaSet === before);
    if (earlier) earlier.replicaSet = after;
    else this.#actions.push({ type: 'update', replicaSet: after, from: replicasOf(before) });
    if (this.#current === before) this.#current = after;
    else this.#old = this.#old.map((item) => (item === before ? after : item));
  }

  /** Returns whether any size changes. */
  #scale(scalings: readonly Scaling[]): boolean {
    const desired = replicasOf(this.#deployment);
    const most = desired + maxSurge(this.#deployment);
    let changed = false;
    for (const { replicaSet, replicas } of scalings) {
      const annotations = { ...replicaSet.metadata?.annotations, ...sizeAnnotations(desired, most) };
      const resized = replicas !== replicasOf(replicaSet);
      changed ||= resized;
      if (!resized && jsonEqual(annotations, replicaSet.metadata?.annotations)) continue;
      this.#replace(replicaSet, {
        ...replicaSet,
        metadata: { ...replicaSet.metadata, annotations },
        spec: { ...replicaSet.spec!, replicas },
      });
    }
    return changed;
  }

  /** Takes one step of a rolling update; returns whether none was left to take. */
  #roll(): boolean {
    const current = this.#current ?? this.#create();
    const up = planCurrent(this.#deployment, current, this.#old);
    if (up && this.#scale([up])) return false;
    return !this.#scale(planOld(this.#deployment, this.#current, this.#old));
  }

  /** Takes one step of Recreate: no new pod before the last old one has ended. */
  #recreate(): boolean {
    const down = this.#old.filter((item) => replicasOf(item) > 0);
    if (this.#scale(down.map((replicaSet) => ({ replicaSet, replicas: 0 })))) return false;
    if (this.#oldPodsRun()) return false;
    if (!this.#current) {
      this.#create();
      return false;
    }
    const up = planCurrent(this.#deployment, this.#current, this.#old);
    return !(up && this.#scale([up]));
  }

  #oldPodsRun(): boolean {
    if (statusReplicas(this.#old) > 0) return true;
    for (const [uid, pods] of this.#pods)
      if (uid !== this.#current?.metadata?.uid && pods.some((pod) => !isPodTerminal(pod))) return true;
    return false;
  }

  /** Deletes the oldest empty ReplicaSets beyond the history limit. */
  #cleanUp(): void {
    const limit = this.#deployment.spec?.revisionHistoryLimit;
    if (limit === undefined) return;
    const kept = this.#old.filter((item) => !item.metadata?.deletionTimestamp);
    const excess = kept.length - limit;
    if (excess <= 0) return;
    kept.sort((a, b) => revisionOf(a) - revisionOf(b) || byAge(a, b));
    for (const replicaSet of kept.slice(0, excess)) {
      const observed = replicaSet.status?.observedGeneration ?? 0;
      if (
        specReplicas([replicaSet]) === 0 &&
        statusReplicas([replicaSet]) === 0 &&
        observed >= (replicaSet.metadata?.generation ?? 0)
      )
        this.#actions.push({ type: 'delete', replicaSet });
    }
  }
}
