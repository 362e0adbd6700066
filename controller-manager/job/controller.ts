import { keyOf } from '../../api/object.ts';
import { jobs, pods as podResource } from '../../api/resources.ts';
import { selectorFromLabelSelector } from '../../api/selectors.ts';
import type { Job, JobStatus } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer } from '../../client/informer.ts';
import { isNotFound } from '../../client/status-error.ts';
import { forEachAtOnce, inGrowingBatches } from '../common/batches.ts';
import { claim } from '../common/claim.ts';
import { type ControllerContext, type ControllerDeclaration, QueueController } from '../common/context.ts';
import { jsonEqual } from '../common/equal.ts';
import { Expectations } from '../common/expectations.ts';
import { controllerOf } from '../common/owner-references.ts';
import { isNamespaceTerminating, PodControl } from '../common/pod-control.ts';
import { byController, followPods, indexPodsByController, orphansIn } from '../common/pod-informer.ts';
import { isPodReady } from '../common/pod-state.ts';
import { type JobAction, planJob } from './plan.ts';
import { jobPod } from './pods.ts';
import { type Outcome, planJobStatus, type StatusPlan } from './status.ts';
import { indexFailures, isFinished, isTracked, type JobView, trackingFinalizer, viewOf } from './view.ts';

/** Queue keys of pods whose job is gone. */
const orphanPrefix = 'orphan:';

/** Pod changes that come close together are taken in one sync. Milliseconds. */
const podBatch = 50;

/** Runs jobs to completion. */
class JobController extends QueueController {
  readonly #client: ApiClient;
  readonly #now: () => number;
  readonly #events: EventRecorder;
  readonly #control: PodControl;
  readonly #expectations: Expectations;
  readonly #jobs: Informer<Job>;
  readonly #pods: Informer<Pod>;

  constructor(context: ControllerContext) {
    super({ sync: (key) => this.#dispatch(key), log: context.log });
    this.#client = context.client;
    this.#now = context.now;
    this.#events = context.events('job-controller');
    this.#expectations = new Expectations(context.now);
    this.#control = new PodControl({ client: context.client, events: this.#events });
    this.#jobs = context.informers.informer(jobs);
    this.#pods = indexPodsByController(context.informers.informer(podResource));
    this.#jobs.on({
      add: (job) => this.queue.add(keyOf(job)),
      update: (job) => this.queue.add(keyOf(job)),
      delete: (job) => {
        this.#expectations.forget(keyOf(job));
        for (const pod of this.#pods.byIndex(byController, job.metadata?.uid ?? ''))
          this.#enqueueIfOrphan(pod);
      },
    });
    followPods({
      pods: this.#pods,
      owners: this.#jobs,
      kind: jobs.kind,
      expectations: this.#expectations,
      selectorOf: (job) => selectorFromLabelSelector(job.spec?.selector),
      enqueue: (job) => this.queue.addAfter(keyOf(job), podBatch),
    });
    const follow = (pod: Pod) => this.#enqueueIfOrphan(pod);
    this.#pods.on({ add: follow, update: follow });
  }

  #jobOf(pod: Pod): Job | undefined {
    const reference = controllerOf(pod);
    if (reference?.kind !== jobs.kind) return undefined;
    const job = this.#jobs.get(`${pod.metadata?.namespace}/${reference.name}`);
    return job?.metadata?.uid === reference.uid ? job : undefined;
  }

  /** A pod that is tracked for a job that does not exist any more would never go. */
  #enqueueIfOrphan(pod: Pod): void {
    if (isTracked(pod) && !this.#jobOf(pod)) this.queue.add(orphanPrefix + keyOf(pod));
  }

  #dispatch(key: string): Promise<void> {
    return key.startsWith(orphanPrefix) ? this.#syncOrphan(key.slice(orphanPrefix.length)) : this.#sync(key);
  }

  async #syncOrphan(key: string): Promise<void> {
    const pod = this.#pods.get(key);
    if (!pod || !isTracked(pod) || this.#jobOf(pod)) return;
    const reference = controllerOf(pod);
    if (reference?.kind === jobs.kind) {
      const job = await this.#client
        .get(jobs, { name: reference.name, namespace: pod.metadata?.namespace })
        .catch(absentIfNotFound);
      if (job?.metadata?.uid === reference.uid) return;
    }
    await this.#release(pod);
  }

  async #sync(key: string): Promise<void> {
    const job = this.#jobs.get(key);
    if (!job) return;
    const settledIn = this.#expectations.pending(key);
    const pods = await this.#podsOf(job);
    if (isFinished(job)) {
      await this.#releaseAll(pods.filter(isTracked));
      return;
    }
    const view = viewOf(job, pods);
    const plan = planJob(view, { now: this.#now(), settled: settledIn === 0 });
    if (plan.again !== undefined) this.queue.addAfter(key, plan.again);
    if (settledIn > 0) this.queue.addAfter(key, settledIn);
    const { outcome, error } = await this.#execute(view, plan.action);
    // Without all pods ended the verdict cannot stand yet.
    const verdict = error ? undefined : plan.verdict;
    const managed = settledIn === 0 && !job.metadata?.deletionTimestamp;
    const next = planJobStatus(view, { outcome, verdict, now: this.#now(), managed });
    await this.#updateStatus(job, next);
    await this.#releaseAll(next.release);
    if (error) throw error;
  }

  async #podsOf(job: Job): Promise<Pod[]> {
    const { namespace = '', uid = '' } = job.metadata ?? {};
    return claim({
      client: this.#client,
      owner: job,
      ownerResource: jobs,
      resource: podResource,
      selector: selectorFromLabelSelector(job.spec?.selector),
      candidates: [
        ...this.#pods.byIndex(byController, uid),
        ...(isFinished(job) ? [] : orphansIn(this.#pods, namespace)),
      ],
      finalizers: [trackingFinalizer],
    });
  }

  async #execute(
    view: JobView,
    action: JobAction | undefined,
  ): Promise<{ outcome: Outcome; error: unknown }> {
    const outcome: Outcome = { active: view.active.length, ready: view.ready, terminating: view.terminating };
    if (!action) return { outcome, error: undefined };
    if (action.type === 'create') return this.#create(view, action.indexes, outcome);
    const key = keyOf(view.job);
    const failures = await forEachAtOnce(action.pods, 16, async (pod) => {
      if (action.type === 'remove') {
        this.#expectations.expectDeletion(key, keyOf(pod));
        // It leaves without being counted.
        try {
          await this.#release(pod);
          await this.#control.delete(view.job, pod);
        } catch (error) {
          this.#expectations.deletionObserved(key, keyOf(pod));
          throw error;
        }
        if (!this.#pods.get(keyOf(pod))) this.#expectations.deletionObserved(key, keyOf(pod));
      } else await this.#control.delete(view.job, pod);
      outcome.active--;
      outcome.terminating++;
      if (isPodReady(pod)) outcome.ready--;
    });
    return { outcome, error: failures[0] };
  }

  async #create(
    view: JobView,
    indexes: readonly (number | undefined)[],
    outcome: Outcome,
  ): Promise<{ outcome: Outcome; error: unknown }> {
    const { job, pods } = view;
    const key = keyOf(job);
    const perIndex = job.spec?.backoffLimitPerIndex !== undefined;
    let ending = false;
    this.#expectations.expectCreations(key, indexes.length);
    const result = await inGrowingBatches(indexes.length, async (i) => {
      const index = indexes[i];
      const failures = perIndex && index !== undefined ? indexFailures(job, pods, index) : undefined;
      try {
        await this.#control.create(job, jobPod(job, index, failures));
      } catch (error) {
        this.#expectations.creationFailed(key);
        ending ||= isNamespaceTerminating(error);
        throw error;
      }
    });
    this.#expectations.creationFailed(key, result.skipped);
    outcome.active += result.succeeded;
    return { outcome, error: ending ? undefined : result.error };
  }

  async #updateStatus(job: Job, { status, finished, suspension }: StatusPlan): Promise<void> {
    if (sameStatus(job.status, status)) return;
    await this.#client.update(jobs, { ...job, status }, { subresource: 'status' });
    if (suspension)
      this.#events.event(
        job,
        'Normal',
        suspension,
        suspension === 'Suspended' ? 'Job suspended' : 'Job resumed',
      );
    if (!finished) return;
    const completions = job.spec?.completions;
    if (finished.type === 'Failed')
      this.#events.event(job, 'Warning', finished.reason ?? '', finished.message ?? '');
    else {
      if (completions !== undefined && (status.succeeded ?? 0) > completions)
        this.#events.event(
          job,
          'Warning',
          'TooManySucceededPods',
          'Too many succeeded pods running after completion count reached',
        );
      this.#events.event(job, 'Normal', 'Completed', 'Job completed');
    }
  }

  async #releaseAll(pods: readonly Pod[]): Promise<void> {
    const failures = await forEachAtOnce(pods, 16, (pod) => this.#release(pod));
    if (failures.length > 0) throw failures[0];
  }

  /** Takes the tracking finalizer off; a pod that is gone has none. */
  async #release(pod: Pod): Promise<void> {
    if (!isTracked(pod)) return;
    const { name = '', namespace, uid } = pod.metadata ?? {};
    const metadata = { uid, '$deleteFromPrimitiveList/finalizers': [trackingFinalizer] };
    try {
      await this.#client.patch(podResource, { name, namespace }, { type: 'strategic', body: { metadata } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

function absentIfNotFound(error: unknown): undefined {
  if (isNotFound(error)) return undefined;
  throw error;
}

/** Absent and zero are the same, as are an absent and an empty list of uncounted pods. */
function sameStatus(stored: JobStatus | undefined, planned: JobStatus): boolean {
  const normal = (status: JobStatus | undefined) => ({
    ...status,
    active: status?.active ?? 0,
    ready: status?.ready ?? 0,
    terminating: status?.terminating ?? 0,
    succeeded: status?.succeeded ?? 0,
    failed: status?.failed ?? 0,
    completedIndexes: status?.completedIndexes ?? '',
    conditions: status?.conditions ?? [],
    uncountedTerminatedPods: {
      succeeded: status?.uncountedTerminatedPods?.succeeded ?? [],
      failed: status?.uncountedTerminatedPods?.failed ?? [],
    },
  });
  return jsonEqual(normal(stored), normal(planned));
}

export const jobController: ControllerDeclaration = {
  name: 'job-controller',
  aliases: ['job'],
  setUp: (context) => new JobController(context),
};
