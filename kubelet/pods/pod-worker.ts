import { isDeepStrictEqual } from 'node:util';
import { pods } from '../../api/resources.ts';
import type { Pod, PodStatus } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import { isConflict, isNotFound } from '../../client/status-error.ts';
import { PodProbes } from '../probes/probe-manager.ts';
import { type PodRuntimeState, RuntimeUnavailableError } from '../runtime/types.ts';
import { buildPodStatus, type PodFailure, rejectedPodStatus } from '../status/pod-status.ts';
import { tokenSources } from '../volumes/projections.ts';
import { MountFailure, tearDownPod, tearDownVolumes } from '../volumes/volume-manager.ts';
import { type BackOff, backOffOfAttempt, nextBackOff } from './back-off.ts';
import { containerHash } from './container-hash.ts';
import { attemptsOf } from './container-view.ts';
import { planGarbage } from './plan-garbage.ts';
import { type PodAction, type PodPlan, planPod, type Stop, type Waiting } from './plan-pod.ts';
import { PodExecutor, type PodMaterial, type SandboxHandle, StartFailure } from './pod-executor.ts';
import { fieldPathOf, type PodServices } from './pod-services.ts';

export interface PodWorkerOptions {
  pod: Pod;
  services: PodServices;
  client: ApiClient;
  /** Its Pod object does not exist: it is only stopped and cleaned up. */
  orphan?: boolean;
  /** The node refuses it: it fails without ever running. */
  rejected?: PodFailure;
  /** Nothing of the pod is left on the node. */
  gone(uid: string): void;
}

/** Waits after a sync that failed: the kubelet's own. Milliseconds. */
/** Milliseconds after which a change in the engine is told though an action is still under way. */
const peekAfter = 500;
const retry = { sync: 10_000, afterPull: 1000, mountFirst: 500, mountLongest: 122_000 };

/** The time at which a pod has used up its `activeDeadlineSeconds`; undefined if it has none. */
export function activeDeadline(pod: Pod): number | undefined {
  const seconds = pod.spec?.activeDeadlineSeconds;
  const start = pod.status?.startTime;
  return seconds === undefined || start === undefined ? undefined : Date.parse(start) + seconds * 1000;
}

/**
 * Brings one pod from what it is to what it should be, and tells the API about it.
 *
 * Invariant: one sync at a time. A sync looks at the engine, plans, and acts; nothing is remembered between
 * syncs that could not be lost, except back-off times. Whatever wakes the worker only says "look again":
 * a wake during a sync makes one more follow. What must not wait for a running action (a pull, a grace period)
 * is a shorter end of the pod: it aborts the action, never the worker.
 */
export class PodWorker {
  readonly uid: string;
  readonly #services: PodServices;
  readonly #client: ApiClient;
  readonly #options: PodWorkerOptions;
  readonly #executor: PodExecutor;
  readonly #probes: PodProbes;
  readonly #backOff = new Map<string, BackOff>();
  readonly #announced = new Map<string, number>();
  readonly #waiting = new Map<string, Waiting>();
  #pod: Pod;
  #orphan: boolean;
  #failure: PodFailure | undefined;
  #observed: PodRuntimeState;
  /** Before the first look nothing can be said of the pod. */
  #looked = false;
  #status: PodStatus | undefined;
  #finished = false;
  #evicted = false;
  #stopSince: number | undefined;
  #grace: number | undefined;
  #awake = false;
  #running: Promise<void> | undefined;
  #closed = false;
  #action = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #wakeTime = Number.POSITIVE_INFINITY;
  #peekTimer: NodeJS.Timeout | undefined;
  readonly #killed = new Set<string>();
  #mountWait = retry.mountFirst;
  #cleaned = false;

  constructor(options: PodWorkerOptions) {
    this.#options = options;
    this.#services = options.services;
    this.#client = options.client;
    this.#pod = options.pod;
    this.uid = options.pod.metadata?.uid ?? '';
    this.#orphan = options.orphan ?? false;
    this.#failure = options.rejected;
    this.#executor = new PodExecutor(options.services);
    this.#observed = this.#nothing();
    this.#probes = new PodProbes({
      runtime: options.services.runtime,
      event: (container, type, reason, message) =>
        this.#services.events.event(this.#pod, type, reason, message, fieldPathOf(this.#pod, container.name)),
      changed: () => {
        this.#pushStatus();
        this.wake();
      },
    });
  }

  get pod(): Pod {
    return this.#pod;
  }

  get observed(): PodRuntimeState {
    return this.#observed;
  }

  /** Nothing of it runs and nothing will. */
  get finished(): boolean {
    return this.#finished;
  }

  /** The object changed. */
  update(pod: Pod): void {
    const old = this.#pod;
    this.#pod = pod;
    this.#services.statuses.observe(pod);
    if (asksTheSame(old, pod)) {
      // Mostly the echo of a status that this worker wrote; else a condition of another writer.
      this.#pushStatus();
      return;
    }
    this.#hurry();
    this.wake();
  }

  /** The object is gone from the API: what runs is stopped, within the grace period of its last version. */
  orphaned(last: Pod): void {
    this.#pod = last;
    this.#orphan = true;
    this.#hurry();
    this.wake();
  }

  /** Ends the pod as failed and at once, for a reason that is not in its containers. Resolves when nothing runs. */
  async evict(failure: PodFailure): Promise<void> {
    this.#failure ??= failure;
    this.#evicted = true;
    this.#hurry();
    this.wake();
    while (!this.#finished && this.#running) await this.#running;
  }

  /** Looks at the pod again, soon. */
  wake(): void {
    if (this.#closed) return;
    this.#awake = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#awake && !this.#closed) this.wake();
    });
  }

  /** The engine reported a change: the status must tell even while an action is under way. */
  runtimeChanged(): void {
    if (this.#running && !this.#closed) {
      // Most actions end sooner than this, and the sync's own look then tells everything in one write.
      this.#peekTimer ??= setTimeout(() => void this.#peek(), peekAfter);
    }
    this.wake();
  }

  async #peek(): Promise<void> {
    this.#peekTimer = undefined;
    if (!this.#running || this.#closed) return;
    try {
      await this.#observe();
      this.#pushStatus();
    } catch (error) {
      this.#services.log.debug({ err: (error as Error).message }, 'pod not observed');
    }
  }

  /** Lets go of the pod without touching what runs: the kubelet stops. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#peekTimer);
    this.#probes.stop();
    this.#action.abort();
    await this.#running;
  }

  #nothing(): PodRuntimeState {
    const { name = '', namespace = '' } = this.#pod.metadata ?? {};
    return { uid: this.uid, name, namespace, gracePeriod: 30, sandboxes: [], containers: [] };
  }

  /** Why and until when the pod must end; undefined if it need not. */
  #stop(): Stop | undefined {
    const { metadata, spec } = this.#pod;
    const deleted = metadata?.deletionTimestamp !== undefined;
    if (!deleted && !this.#orphan && !this.#failure) return undefined;
    this.#stopSince ??= this.#services.now();
    const own =
      this.#orphan && !spec ? this.#observed.gracePeriod : (spec?.terminationGracePeriodSeconds ?? 30);
    if (this.#evicted) return { deadline: this.#stopSince };
    const grace = deleted ? (metadata?.deletionGracePeriodSeconds ?? own) : own;
    return { deadline: this.#stopSince + grace * 1000 };
  }

  /** Cuts off the action under way when the pod must now end, or end sooner than that action knows. */
  #hurry(): void {
    const stop = this.#stop();
    if (!stop) return;
    if (this.#grace !== undefined && stop.deadline >= this.#grace) return;
    this.#grace = stop.deadline;
    this.#action.abort();
  }

  async #run(): Promise<void> {
    while (this.#awake && !this.#closed) {
      this.#awake = false;
      this.#action = new AbortController();
      try {
        if (await this.#sync()) this.#awake = true;
      } catch (error) {
        this.#failedSync(error as Error);
      }
    }
  }

  #failedSync(error: Error): void {
    const { events, log } = this.#services;
    if (error instanceof MountFailure) {
      events.event(this.#pod, 'Warning', 'FailedMount', error.message);
      this.#wakeAt(this.#services.now() + this.#mountWait);
      this.#mountWait = Math.min(this.#mountWait * 2, retry.mountLongest);
    } else {
      const level = error instanceof RuntimeUnavailableError ? 'debug' : 'warn';
      const { namespace, name } = this.#pod.metadata ?? {};
      log[level]({ pod: `${namespace}/${name}`, err: error.message }, 'pod sync failed, trying again');
      this.#wakeAt(this.#services.now() + retry.sync);
    }
    this.#pushStatus();
  }

  /** Makes the worker look again at this time, unless it does so sooner. */
  #wakeAt(time: number): void {
    if (this.#closed || time >= this.#wakeTime) return;
    clearTimeout(this.#timer);
    this.#wakeTime = time;
    // Timers take at most 2^31 ms; the worker looks again then and waits on.
    const milliseconds = Math.min(Math.max(0, time - this.#services.now()), 2 ** 31 - 1);
    this.#timer = setTimeout(() => this.wake(), milliseconds);
    this.#timer.unref();
  }

  async #observe(): Promise<void> {
    this.#observed = await this.#services.runtime.podState(this.uid);
    this.#looked = true;
  }

  /** The pod with the newest status known, which the API may not have yet. */
  #effectivePod(): Pod {
    if (!this.#status) return this.#pod;
    const own = this.#status.conditions ?? [];
    const others = (this.#pod.status?.conditions ?? []).filter(
      (condition) => !own.some(({ type }) => type === condition.type),
    );
    const foreign = own.filter(({ type }) => !kubeletConditions.has(type));
    const current = (this.#pod.status?.conditions ?? []).filter(({ type }) =>
      foreign.some((condition) => condition.type === type),
    );
    const conditions = [...own.filter(({ type }) => kubeletConditions.has(type)), ...current, ...others];
    return { ...this.#pod, status: { ...this.#status, conditions } };
  }

  #pushStatus(): void {
    if (this.#orphan || this.#cleaned || !this.#looked) return;
    const { facts, now, statuses, imageIDs } = this.#services;
    const { rejected } = this.#options;
    if (rejected) {
      this.#status = rejectedPodStatus(this.#pod, rejected, now());
      statuses.set(this.uid, this.#status);
      return;
    }
    const { started, ready } = this.#probes.verdicts(this.#observed);
    this.#status = buildPodStatus({
      pod: this.#effectivePod(),
      observed: this.#observed,
      waiting: this.#waiting,
      started,
      ready,
      imageIDOf: (id) => imageIDs.get(id) ?? `docker://${id}`,
      hostIP: facts().hostIP,
      now: now(),
      finished: this.#finished,
      ...(this.#failure && { failure: this.#failure }),
    });
    statuses.set(this.uid, this.#status);
  }

  /** One look, one plan, its actions. Answers whether to look again at once, as after every action. */
  async #sync(): Promise<boolean> {
    clearTimeout(this.#timer);
    clearTimeout(this.#peekTimer);
    this.#wakeTime = Number.POSITIVE_INFINITY;
    this.#peekTimer = undefined;
    await this.#observe();
    const now = this.#services.now();
    const deadline = activeDeadline(this.#effectivePod());
    if (deadline !== undefined && now >= deadline && !this.#finished)
      this.#failure ??= {
        reason: 'DeadlineExceeded',
        message: 'Pod was active on the node longer than the specified deadline',
      };
    const stop = this.#stop();
    this.#recallBackOff();
    const podIP = this.#observed.sandboxes.find(({ state }) => state === 'running')?.ip;
    this.#probes.update(this.#effectivePod(), this.#observed, {
      podIP: podIP ?? this.#services.facts().hostIP,
      terminating: stop !== undefined,
    });
    const { started, unhealthy } = this.#probes.verdicts(this.#observed);
    const plan = planPod({
      pod: this.#effectivePod(),
      observed: this.#observed,
      now,
      unhealthy,
      started,
      backOff: this.#backOff,
      hash: containerHash,
      ...(stop && { stop }),
    });
    this.#noteWaiting(plan);
    this.#finished = plan.finished && plan.actions.length === 0;
    this.#pushStatus();
    if (this.#finished) {
      await this.#finish();
      return false;
    }
    for (const time of [plan.recheckAt, deadline]) if (time !== undefined) this.#wakeAt(time);
    if (plan.actions.length > 0) return this.#act(plan.actions);
    await Promise.all(planGarbage(this.#observed).map((id) => this.#services.runtime.remove(id)));
    if (!stop) await this.#refreshVolumes();
    return false;
  }

  /** Fills in the back-off of containers that failed before the kubelet began. */
  #recallBackOff(): void {
    for (const name of new Set(this.#observed.containers.map((container) => container.name))) {
      const [newest] = attemptsOf(this.#observed, name);
      if (newest?.state !== 'exited' || this.#backOff.has(name)) continue;
      const exitedAt = Date.parse(newest.finishedAt ?? newest.createdAt);
      const ran = exitedAt - Date.parse(newest.startedAt ?? newest.createdAt);
      const recalled = backOffOfAttempt(newest.attempt, ran, exitedAt);
      if (recalled) this.#backOff.set(name, recalled);
    }
  }

  #noteWaiting(plan: PodPlan): void {
    const { containers } = this.#observed;
    for (const { name, state } of containers.toReversed())
      if (state === 'running') this.#waiting.delete(name);
    for (const [name, waiting] of plan.waiting) {
      this.#waiting.set(name, waiting);
      const { since } = this.#backOff.get(name)!;
      if (this.#announced.get(name) === since) continue;
      this.#announced.set(name, since);
      const { name: pod, namespace } = this.#pod.metadata ?? {};
      this.#services.events.event(
        this.#pod,
        'Warning',
        'BackOff',
        `Back-off restarting failed container ${name} in pod ${pod}_${namespace}(${this.uid})`,
        fieldPathOf(this.#pod, name),
      );
    }
  }

  /** Kills side by side, then the rest in order; starts side by side unless a hook asks for order. */
  async #act(actions: readonly PodAction[]): Promise<boolean> {
    const { runtime } = this.#services;
    const { signal } = this.#action;
    const kills = actions.filter((action) => action.type === 'killContainer');
    await Promise.all(
      kills.map((action) => {
        // A second kill only shortens the first: its event and hook are not repeated.
        const again = this.#killed.has(action.runtime.id);
        this.#killed.add(action.runtime.id);
        return this.#executor.killContainer(this.#pod, { ...action, again }, signal);
      }),
    );
    for (const action of actions) {
      if (action.type === 'removeContainer') await runtime.remove(action.id);
      if (action.type === 'stopSandbox') await runtime.stop(action.sandbox.id, 0);
    }
    const starts = actions.filter((action) => action.type === 'startContainer');
    const creation = actions.find((action) => action.type === 'createSandbox');
    if (!creation && starts.length === 0) return true;
    const problem = this.#pod.spec?.hostNetwork ? undefined : this.#services.networkProblem();
    if (problem) {
      this.#services.events.event(this.#pod, 'Warning', 'NetworkNotReady', problem);
      this.#wakeAt(this.#services.now() + retry.sync);
      return false;
    }
    const material = await this.#executor.prepare(this.#pod);
    this.#mountWait = retry.mountFirst;
    if (signal.aborted) return true;
    const sandbox = creation ? await this.#createSandbox(creation) : this.#currentSandbox();
    const retryAt = await this.#start(starts, sandbox, material, signal);
    await sandbox.running;
    if (retryAt === undefined || signal.aborted) return true;
    // Nothing of the engine wakes the worker for a container that could not be made.
    this.#wakeAt(Math.max(retryAt, this.#services.now() + 100));
    return false;
  }

  async #createSandbox(action: Extract<PodAction, { type: 'createSandbox' }>): Promise<SandboxHandle> {
    if (action.attempt > 0)
      this.#services.events.event(
        this.#pod,
        'Normal',
        'SandboxChanged',
        'Pod sandbox changed, it will be killed and re-created.',
      );
    const failed = (error: unknown) => {
      // Its address may be what is wrong: another is taken next time.
      this.#services.network.release(this.uid);
      if (error instanceof RuntimeUnavailableError) return;
      const message = `Failed to create pod sandbox: ${(error as Error).message}`;
      this.#services.events.event(this.#pod, 'Warning', 'FailedCreatePodSandBox', message);
    };
    try {
      const sandbox = await this.#executor.createSandbox(this.#pod, action);
      sandbox.running.catch(failed);
      return sandbox;
    } catch (error) {
      failed(error);
      throw error;
    }
  }

  #currentSandbox(): SandboxHandle {
    const sandbox = this.#observed.sandboxes[0]!;
    return { id: sandbox.id, attempt: sandbox.attempt, running: Promise.resolve() };
  }

  async #start(
    starts: readonly Extract<PodAction, { type: 'startContainer' }>[],
    sandbox: SandboxHandle,
    material: PodMaterial,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const one = (action: (typeof starts)[number]) => this.#startOne(action, sandbox, material, signal);
    const ordered = starts.some(({ container }) => container.lifecycle?.postStart);
    return ordered ? inOrder(starts, one) : soonest(await Promise.all(starts.map(one)));
  }

  /** Starts one container; on failure notes why it waits and answers when to try again. */
  async #startOne(
    action: Extract<PodAction, { type: 'startContainer' }>,
    sandbox: SandboxHandle,
    material: PodMaterial,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { container, exitedAt } = action;
    const { now, images } = this.#services;
    // An attempt that never came to be does not make the next wait longer.
    const tried = () => {
      if (exitedAt !== undefined)
        this.#backOff.set(container.name, nextBackOff(this.#backOff.get(container.name), exitedAt, now()));
    };
    try {
      await this.#executor.startContainer(this.#pod, action, { sandbox, material, signal });
      tried();
      this.#waiting.delete(container.name);
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof StartFailure)) throw error;
      this.#waiting.set(container.name, error.waiting);
      this.#pushStatus();
      // A container that the engine could not start exists and has exited: its back-off decides.
      if (error.waiting.reason === 'RunContainerError' || error.waiting.reason === 'PostStartHookError') {
        tried();
        return undefined;
      }
      // The next look finds the image backing off and says so, as people expect it to.
      if (error.waiting.reason === 'ErrImagePull') return now() + retry.afterPull;
      return images.retryAt(this.#pod, container) ?? now() + retry.sync;
    }
    return undefined;
  }

  /** Brings configMaps, secrets, tokens and the downward API in the pod's volumes up to date. */
  async #refreshVolumes(): Promise<void> {
    const projected = (this.#pod.spec?.volumes ?? []).some(
      (volume) => volume.configMap ?? volume.secret ?? volume.projected ?? volume.downwardAPI,
    );
    if (!projected) return;
    await this.#executor.prepare(this.#pod);
    const due = this.#services.tokens.nextRefresh(this.uid, tokenSources(this.#pod));
    if (due !== undefined) this.#wakeAt(due);
  }

  /** The pod has come to its end: its address goes back; if it was deleted, everything else goes too. */
  async #finish(): Promise<void> {
    const { runtime, network, objects, tokens, statuses, rootDirectory } = this.#services;
    this.#probes.stop();
    await Promise.all(this.#observed.sandboxes.map(({ id }) => runtime.remove(id)));
    network.release(this.uid);
    objects.forget(this.uid);
    tokens.forget(this.uid);
    if (!this.#orphan && this.#pod.metadata?.deletionTimestamp === undefined)
      return tearDownVolumes(rootDirectory, this.uid);
    if (!this.#orphan) await statuses.flush(this.uid);
    await Promise.all(this.#observed.containers.map(({ id }) => runtime.remove(id)));
    await tearDownPod(rootDirectory, this.uid);
    this.#cleaned = true;
    if (!this.#orphan) await this.#deleteObject();
    statuses.forget(this.uid);
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#options.gone(this.uid);
  }

  async #deleteObject(): Promise<void> {
    const { name = '', namespace = '' } = this.#pod.metadata ?? {};
    try {
      await this.#client.delete(
        pods,
        { name, namespace },
        { gracePeriodSeconds: 0, preconditions: { uid: this.uid } },
      );
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }
}

/** Whether two versions of a pod differ in their status at most. */
function asksTheSame(a: Pod, b: Pod): boolean {
  const asked = ({
    spec,
    metadata: { labels, annotations, deletionTimestamp, deletionGracePeriodSeconds } = {},
  }: Pod) => [spec, labels, annotations, deletionTimestamp, deletionGracePeriodSeconds];
  return isDeepStrictEqual(asked(a), asked(b));
}

/** Conditions whose truth is the kubelet's; all others belong to other writers. */
const kubeletConditions = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
]);

async function inOrder<T>(
  items: readonly T[],
  one: (item: T) => Promise<number | undefined>,
): Promise<number | undefined> {
  const times: (number | undefined)[] = [];
  for (const item of items) times.push(await one(item));
  return soonest(times);
}

function soonest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}
