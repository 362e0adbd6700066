import { join } from 'node:path';
import type { Pod } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { Informer } from '../../client/informer.ts';
import type { PodLookup, PodRuntimeState, RuntimeContainer, RuntimeSandbox } from '../runtime/types.ts';
import type { PodFailure } from '../status/pod-status.ts';
import { podsWithFiles } from '../volumes/pod-directory.ts';
import { tearDownPod } from '../volumes/volume-manager.ts';
import { attemptsOf } from './container-view.ts';
import type { PodServices } from './pod-services.ts';
import { PodWorker } from './pod-worker.ts';

export interface PodManagerOptions {
  services: PodServices;
  client: ApiClient;
  /** Pods that are bound to this node. */
  informer: Informer<Pod>;
  /** Why the node refuses a new pod; `others` are those that it holds and that have not ended. */
  admit(pod: Pod, others: readonly Pod[]): PodFailure | undefined;
}

/** Milliseconds between looks at all containers, for changes whose event was lost. */
const relistEvery = 60_000;

const isTerminal = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** The object of a pod of which only containers are left. */
const orphanOf = ({ uid, name, namespace }: PodRuntimeState): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { uid, name, namespace },
});

/** What of a runtime state says whether anything changed. */
const fingerprint = (state: PodRuntimeState): string =>
  [...state.sandboxes, ...state.containers]
    .map(({ id, state: running }) => `${id}${running === 'running'}`)
    .sort()
    .join();

/** Holds one worker a pod and wakes it: on changes of its object, on the engine's events, and after a relist. */
export class PodManager implements PodLookup {
  readonly #options: PodManagerOptions;
  readonly #workers = new Map<string, PodWorker>();
  #relistTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: PodManagerOptions) {
    this.#options = options;
  }

  /** Takes over what runs, then follows the API and the engine until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    const { informer, services } = this.#options;
    await informer.synced;
    const states = await services.runtime.listPods();
    for (const { uid, sandboxes } of states)
      for (const { ip, state } of sandboxes) if (ip && state === 'running') services.network.adopt(uid, ip);
    const found = new Map(states.map((state) => [state.uid, state]));
    const byAge = informer
      .list()
      .sort((a, b) =>
        (a.metadata?.creationTimestamp ?? '').localeCompare(b.metadata?.creationTimestamp ?? ''),
      );
    // Those that run already come first: they hold their place against those that were bound meanwhile.
    for (const pod of byAge) if (found.has(pod.metadata?.uid ?? '')) this.#add(pod, true);
    for (const pod of byAge) if (!found.has(pod.metadata?.uid ?? '')) this.#add(pod, false);
    for (const state of states) if (!this.#workers.has(state.uid)) this.#addOrphan(state);
    await this.#removeLeftovers();
    informer.on({
      add: (pod) => this.#add(pod, false),
      update: (pod) => this.#worker(pod)?.update(pod),
      delete: (pod) => this.#worker(pod)?.orphaned(pod),
    });
    void services.runtime.watchEvents(
      {
        event: ({ uid }) => this.#workers.get(uid)?.runtimeChanged(),
        gap: () => void this.#relist(),
      },
      signal,
    );
    this.#scheduleRelist();
  }

  /** Lets go of all pods without touching what runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#relistTimer);
    await Promise.all([...this.#workers.values()].map((worker) => worker.close()));
  }

  /** Something that a pod uses changed, such as a ConfigMap. */
  wake(uid: string): void {
    this.#workers.get(uid)?.wake();
  }

  /** Something that all pods wait for changed, such as the pod network. */
  wakeAll(): void {
    for (const worker of this.#workers.values()) worker.wake();
  }

  /** Ends a pod at once as failed; resolves when nothing of it runs. */
  async evict(pod: Pod, failure: PodFailure): Promise<void> {
    const { events, log } = this.#options.services;
    log.warn(
      { pod: `${pod.metadata?.namespace}/${pod.metadata?.name}`, reason: failure.message },
      'evicting pod',
    );
    events.event(pod, 'Warning', failure.reason, failure.message);
    await this.#worker(pod)?.evict(failure);
  }

  pods(): Pod[] {
    return [...this.#workers.values()].map(({ pod }) => pod).filter(({ spec }) => spec !== undefined);
  }

  pod(namespace: string, name: string): Pod | undefined {
    return this.#options.informer.get(`${namespace}/${name}`);
  }

  runtimeState(uid: string): PodRuntimeState | undefined {
    return this.#workers.get(uid)?.observed;
  }

  container(pod: Pod, name: string, options: { previous?: boolean } = {}): RuntimeContainer | undefined {
    const state = this.runtimeState(pod.metadata?.uid ?? '');
    return state && attemptsOf(state, name)[options.previous ? 1 : 0];
  }

  sandbox(pod: Pod): RuntimeSandbox | undefined {
    return this.runtimeState(pod.metadata?.uid ?? '')?.sandboxes.find(({ state }) => state === 'running');
  }

  podDirectory(uid: string): string {
    return join(this.#options.services.rootDirectory, 'pods', uid);
  }

  /** Files of pods that were removed by force while the kubelet did not run. */
  async #removeLeftovers(): Promise<void> {
    const { rootDirectory } = this.#options.services;
    for (const uid of await podsWithFiles(rootDirectory))
      if (!this.#workers.has(uid)) await tearDownPod(rootDirectory, uid);
  }

  #worker(pod: Pod): PodWorker | undefined {
    return this.#workers.get(pod.metadata?.uid ?? '');
  }

  #add(pod: Pod, runs: boolean): void {
    const existing = this.#worker(pod);
    if (existing) {
      existing.update(pod);
      return;
    }
    // A pod that the kubelet has accepted before (it has a start time) is not judged again.
    const judged =
      runs || pod.status?.startTime !== undefined || pod.metadata?.deletionTimestamp !== undefined;
    const others = [...this.#workers.values()].filter(
      ({ finished, pod: { spec } }) => !finished && spec !== undefined,
    );
    const rejected = judged
      ? undefined
      : this.#options.admit(
          pod,
          others.map((worker) => worker.pod).filter((other) => !isTerminal(other)),
        );
    if (rejected) this.#options.services.events.event(pod, 'Warning', rejected.reason, rejected.message);
    this.#begin(pod, { ...(rejected && { rejected }) });
  }

  #addOrphan(state: PodRuntimeState): void {
    this.#begin(orphanOf(state), { orphan: true });
  }

  #begin(pod: Pod, options: { rejected?: PodFailure; orphan?: boolean }): void {
    const { services, client } = this.#options;
    const worker = new PodWorker({
      pod,
      services,
      client,
      ...options,
      gone: (uid) => this.#workers.delete(uid),
    });
    this.#workers.set(worker.uid, worker);
    if (!options.orphan) services.statuses.observe(pod);
    worker.wake();
  }

  #scheduleRelist(): void {
    if (this.#stopped) return;
    this.#relistTimer = setTimeout(() => {
      void this.#relist().then(() => this.#scheduleRelist());
    }, relistEvery);
    this.#relistTimer.unref();
  }

  /** Wakes the workers of pods that are not as they were last seen, and takes up pods that nobody holds. */
  async #relist(): Promise<void> {
    const { runtime, log } = this.#options.services;
    try {
      const states = new Map((await runtime.listPods()).map((state) => [state.uid, state]));
      if (this.#stopped) return;
      for (const [uid, worker] of this.#workers) {
        const state = states.get(uid);
        const known = fingerprint(worker.observed);
        if ((state ? fingerprint(state) : '') !== known) worker.wake();
      }
      for (const [uid, state] of states) if (!this.#workers.has(uid)) this.#addOrphan(state);
    } catch (error) {
      log.debug({ err: (error as Error).message }, 'containers not listed');
    }
  }
}
