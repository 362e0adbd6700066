import type { Container, Pod } from '../../api/types/core-v1.ts';
import type { PodRuntimeState, RuntimeContainer, RuntimeSandbox } from '../runtime/types.ts';
import { type BackOff, backOffText, waitingUntil } from './back-off.ts';
import { type ContainerView, isSidecar, viewContainer } from './container-view.ts';

/** Why a container that the spec wants has to stop, told by its probes. */
export interface Unhealthy {
  kind: 'liveness' | 'startup';
  /** Seconds; the probe's own instead of the pod's. */
  gracePeriod?: number;
}

/** That the pod must end, whatever its spec says: it is deleted, evicted, past its deadline, or its object is gone. */
export interface Stop {
  /** Milliseconds since the epoch when what still runs is killed. */
  deadline: number;
}

export interface PodPlanInput {
  pod: Pod;
  observed: PodRuntimeState;
  /** Milliseconds since the epoch. */
  now: number;
  /** Containers whose liveness or startup probe failed for good, by container id. */
  unhealthy: ReadonlyMap<string, Unhealthy>;
  /** Ids of running containers that have started: their startup probe succeeded, or they have none. */
  started: ReadonlySet<string>;
  /** By container name. */
  backOff: ReadonlyMap<string, BackOff>;
  /** Hash of a container's spec, as on its label. */
  hash(container: Container): string;
  stop?: Stop;
}

/** Everything a plan can ask for, each with what its executor needs. The union of actions derives from this map. */
export interface PodActions {
  /** Makes and starts the namespaces' holder. */
  createSandbox: { attempt: number };
  /** Makes the container of this attempt if it does not exist, and starts it. */
  startContainer: {
    container: Container;
    attempt: number;
    sandboxAttempt: number;
    /** When the attempt before ended, for the next back-off; absent at the first start. */
    exitedAt?: number;
  };
  /** Runs the preStop hook, sends the stop signal, kills after the grace period (seconds). */
  killContainer: { runtime: RuntimeContainer; gracePeriod: number; message: string; preStop: boolean };
  stopSandbox: { sandbox: RuntimeSandbox };
  /** Takes away a container that never ran or belongs to an older sandbox's initialisation. */
  removeContainer: { id: string };
}

export type PodAction = { [K in keyof PodActions]: { type: K } & PodActions[K] }[keyof PodActions];

export interface Waiting {
  reason: string;
  message?: string;
}

export interface PodPlan {
  /** In order; neighbouring starts and neighbouring kills may run side by side. */
  actions: PodAction[];
  /** Containers that back off, by name. */
  waiting: Map<string, Waiting>;
  /** Milliseconds since the epoch when to plan again though nothing happens. */
  recheckAt?: number;
  /** Nothing runs and nothing will: the pod has come to its end. */
  finished: boolean;
}

/** Seconds that a container has at least to react to its stop signal. */
const minimumGrace = 1;

const reference = (pod: Pod): string =>
  `${pod.metadata?.name}_${pod.metadata?.namespace}(${pod.metadata?.uid})`;

/** The message of a container in CrashLoopBackOff. */
const backOffMessage = (pod: Pod, container: string, duration: number): string =>
  `back-off ${backOffText(duration)} restarting failed container=${container} pod=${reference(pod)}`;

/**
 * What to do next for one pod, from what it should be and what runs. Pure; the order of its steps and the
 * conditions are the kubelet's (`computePodActions`). Each plan may be cut off after any action: the next one
 * is computed from what is then there.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
 */
export function planPod(input: PodPlanInput): PodPlan {
  return new Planner(input).plan();
}

class Planner {
  readonly #input: PodPlanInput;
  readonly #actions: PodAction[] = [];
  readonly #waiting = new Map<string, Waiting>();
  #recheckAt: number | undefined;

  constructor(input: PodPlanInput) {
    this.#input = input;
  }

  plan(): PodPlan {
    const { pod, stop } = this.#input;
    const phase = pod.status?.phase;
    if (stop) return this.#end((_runtime) => (stop.deadline - this.#input.now) / 1000);
    if (phase === 'Succeeded' || phase === 'Failed') return this.#endOfItself();
    const sandbox = this.#readySandbox();
    return sandbox ? this.#inSandbox(sandbox) : this.#withoutSandbox();
  }

  get #spec() {
    return this.#input.pod.spec ?? { containers: [] };
  }

  get #restartPolicy(): string {
    return this.#spec.restartPolicy ?? 'Always';
  }

  get #podGrace(): number {
    return this.#spec.terminationGracePeriodSeconds ?? 30;
  }

  /** The newest sandbox, if it is the one that runs. */
  #readySandbox(): RuntimeSandbox | undefined {
    const [newest, ...older] = this.#input.observed.sandboxes;
    if (newest?.state !== 'running' || older.some((sandbox) => sandbox.state === 'running')) return undefined;
    return newest.hostNetwork === (this.#spec.hostNetwork ?? false) ? newest : undefined;
  }

  #running(): RuntimeContainer[] {
    return this.#input.observed.containers.filter((container) => container.state === 'running');
  }

  #specOf(runtime: RuntimeContainer): Container | undefined {
    const same = (container: Container) => container.name === runtime.name;
    return this.#spec.containers.find(same) ?? this.#spec.initContainers?.find(same);
  }

  #result(finished = false): PodPlan {
    return {
      actions: this.#actions,
      waiting: this.#waiting,
      ...(this.#recheckAt !== undefined && { recheckAt: this.#recheckAt }),
      finished,
    };
  }

  #endOfItself(): PodPlan {
    return this.#end(() => this.#podGrace);
  }

  /**
   * Stops what runs: first the containers side by side, then sidecars one by one from the last, then the sandbox.
   * Without anything running the pod is finished.
   */
  #end(graceOf: (runtime: RuntimeContainer) => number): PodPlan {
    const running = this.#running();
    const sidecars = (this.#spec.initContainers ?? []).filter(
      (container) => container.restartPolicy === 'Always',
    );
    const rank = (runtime: RuntimeContainer) =>
      sidecars.findIndex((container) => container.name === runtime.name);
    const ordinary = running.filter((runtime) => rank(runtime) < 0);
    const last = running.toSorted((a, b) => rank(b) - rank(a))[0];
    const now = ordinary.length > 0 ? ordinary : last ? [last] : [];
    for (const runtime of now) this.#kill(runtime, graceOf(runtime), `Stopping container ${runtime.name}`);
    if (now.length === 0)
      for (const sandbox of this.#input.observed.sandboxes)
        if (sandbox.state === 'running') this.#actions.push({ type: 'stopSandbox', sandbox });
    return this.#result(now.length === 0);
  }

  #kill(runtime: RuntimeContainer, gracePeriod: number, message: string): void {
    const grace = Math.max(minimumGrace, gracePeriod);
    const preStop = this.#specOf(runtime)?.lifecycle?.preStop !== undefined;
    this.#actions.push({ type: 'killContainer', runtime, gracePeriod: grace, message, preStop });
  }

  /** Whether a container whose newest attempt is this one should run (again). */
  #wanted(view: ContainerView | undefined): boolean {
    if (!view || view.state === 'created') return true;
    if (view.state === 'running') return false;
    if (this.#restartPolicy === 'Never') return false;
    return this.#restartPolicy === 'Always' || view.exitCode !== 0;
  }

  /** The first start, or a new one: what ran in the old namespaces ends, then the pod begins from its first init container. */
  #withoutSandbox(): PodPlan {
    const { pod, observed } = this.#input;
    const containers = this.#spec.containers;
    const views = containers.map((container) => viewContainer(pod, observed, container.name));
    const ran = views.some((view) => view !== undefined && view.state !== 'created');
    const toStart = views.filter(
      (view) => this.#wanted(view) || (view?.state === 'running' && this.#restarts(view)),
    );
    // A pod that is never restarted, or has nothing left to run, is over when its namespaces are.
    if ((this.#restartPolicy === 'Never' && ran) || (ran && toStart.length === 0)) return this.#endOfItself();
    const running = this.#running();
    for (const runtime of running) this.#kill(runtime, this.#podGrace, `Stopping container ${runtime.name}`);
    for (const sandbox of observed.sandboxes)
      if (sandbox.state === 'running') this.#actions.push({ type: 'stopSandbox', sandbox });
    if (running.length > 0) return this.#result();
    // A sandbox that was made but never started is adopted under its own attempt.
    const newest = observed.sandboxes[0];
    const attempt =
      newest === undefined ? 0 : newest.state === 'created' ? newest.attempt : newest.attempt + 1;
    this.#actions.push({ type: 'createSandbox', attempt });
    const first = this.#spec.initContainers?.[0];
    if (first) this.#start(first, viewContainer(pod, observed, first.name), attempt);
    else
      for (const [i, container] of containers.entries())
        if (this.#wanted(views[i])) this.#start(container, views[i], attempt);
    return this.#result();
  }

  #restarts(view: ContainerView): boolean {
    return this.#restartPolicy !== 'Never' && view.state === 'running';
  }

  #inSandbox(sandbox: RuntimeSandbox): PodPlan {
    const { pod, observed } = this.#input;
    // A container made for an older sandbox and never started cannot join this one.
    for (const runtime of observed.containers)
      if (runtime.state === 'created' && runtime.sandboxID !== sandbox.id)
        this.#actions.push({ type: 'removeContainer', id: runtime.id });
    const stale = this.#running().filter((runtime) => runtime.sandboxID !== sandbox.id);
    for (const runtime of stale) this.#kill(runtime, this.#podGrace, `Stopping container ${runtime.name}`);
    if (stale.length > 0) return this.#result();
    const initialised = this.#initialise(sandbox);
    if (initialised === 'failed') return this.#endOfItself();
    if (initialised === 'pending') return this.#result();
    let alive = 0;
    for (const container of this.#spec.containers) {
      const view = viewContainer(pod, observed, container.name);
      if (view?.state === 'running') {
        this.#keep(container, view);
        alive++;
      } else if (this.#wanted(view)) {
        alive++;
        this.#start(container, view, sandbox.attempt);
      }
    }
    if (alive > 0) return this.#result();
    this.#actions.length = 0;
    return this.#endOfItself();
  }

  /**
   * Takes init containers forward one step. `done` once all have succeeded (sidecars: started) in this sandbox or
   * an ordinary container of it exists, which proves that they had.
   */
  #initialise(sandbox: RuntimeSandbox): 'done' | 'pending' | 'failed' {
    const { pod, observed, started } = this.#input;
    const names = new Set(this.#spec.containers.map((container) => container.name));
    const before = observed.containers.some(
      (runtime) => names.has(runtime.name) && runtime.sandboxID === sandbox.id && runtime.state !== 'created',
    );
    for (const container of this.#spec.initContainers ?? []) {
      const newest = viewContainer(pod, observed, container.name);
      const inThis = newest?.runtime?.sandboxID === sandbox.id;
      const view = inThis ? newest : undefined;
      if (isSidecar(pod, container)) {
        if (view?.state === 'running') {
          this.#keep(container, view);
          if (!before && !started.has(view.runtime!.id)) return 'pending';
        } else {
          this.#start(container, newest, sandbox.attempt);
          if (!before) return 'pending';
        }
        continue;
      }
      if (before) continue;
      if (view?.state === 'running') return 'pending';
      if (view?.state === 'exited' && view.exitCode === 0) continue;
      if (view?.state === 'exited' && this.#restartPolicy === 'Never') return 'failed';
      this.#start(container, newest, sandbox.attempt);
      return 'pending';
    }
    return 'done';
  }

  /** Leaves a running container alone unless its definition or its probes say otherwise. */
  #keep(container: Container, view: ContainerView): void {
    const runtime = view.runtime!;
    const unhealthy = this.#input.unhealthy.get(runtime.id);
    const restarts = this.#restartPolicy !== 'Never' || container.restartPolicy === 'Always';
    let message: string;
    if (runtime.hash !== this.#input.hash(container))
      message = `Container ${container.name} definition changed`;
    else if (unhealthy) message = `Container ${container.name} failed ${unhealthy.kind} probe`;
    else return;
    const changed = !unhealthy || runtime.hash !== this.#input.hash(container);
    const suffix = restarts || changed ? ', will be restarted' : '';
    this.#kill(runtime, unhealthy?.gracePeriod ?? this.#podGrace, message + suffix);
  }

  #start(container: Container, view: ContainerView | undefined, sandboxAttempt: number): void {
    const { pod, backOff, now } = this.#input;
    if (view?.state === 'exited') {
      const exitedAt = view.exitedAt ?? now;
      const until = waitingUntil(backOff.get(container.name), exitedAt, now);
      if (until !== undefined) {
        const { duration } = backOff.get(container.name)!;
        this.#waiting.set(container.name, {
          reason: 'CrashLoopBackOff',
          message: backOffMessage(pod, container.name, duration),
        });
        this.#recheckAt = Math.min(this.#recheckAt ?? until, until);
        return;
      }
    }
    const attempt = view === undefined ? 0 : view.state === 'created' ? view.attempt : view.attempt + 1;
    this.#actions.push({
      type: 'startContainer',
      container,
      attempt,
      sandboxAttempt,
      ...(view?.state === 'exited' && { exitedAt: view.exitedAt ?? now }),
    });
  }
}
