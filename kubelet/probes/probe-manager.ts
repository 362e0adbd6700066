import type { Container, Pod } from '../../api/types/core-v1.ts';
import { apiContainerID, apiStatusOf } from '../pods/container-view.ts';
import type { Unhealthy } from '../pods/plan-pod.ts';
import type { ContainerRuntime, PodRuntimeState, RuntimeContainer } from '../runtime/types.ts';
import type { ProbeKind } from './probe-state.ts';
import { ProbeWorker } from './probe-worker.ts';
import { runProbe } from './run-probe.ts';

/** What the probes of a pod say, by container id. */
export interface ProbeVerdicts {
  started: ReadonlySet<string>;
  ready: ReadonlySet<string>;
  unhealthy: ReadonlyMap<string, Unhealthy>;
}

export interface PodProbesOptions {
  runtime: Pick<ContainerRuntime, 'execSync'>;
  /** Records `Unhealthy` and the like on a container. */
  event(container: Container, type: 'Normal' | 'Warning', reason: string, message: string): void;
  changed(): void;
}

const title = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' } as const;

interface Probed {
  container: Container;
  workers: Map<ProbeKind, ProbeWorker>;
}

/** The probes of one pod's containers; each container id has its own, begun when it runs and ended when it does not. */
export class PodProbes {
  readonly #options: PodProbesOptions;
  readonly #probed = new Map<string, Probed>();

  constructor(options: PodProbesOptions) {
    this.#options = options;
  }

  /** Begins and ends probes so that they fit what runs. While the pod terminates only readiness is asked. */
  update(pod: Pod, observed: PodRuntimeState, options: { podIP: string; terminating: boolean }): void {
    const running = new Map(
      observed.containers.filter(({ state }) => state === 'running').map((runtime) => [runtime.id, runtime]),
    );
    for (const id of this.#probed.keys()) if (!running.has(id)) this.#end(id);
    const sidecars = (pod.spec?.initContainers ?? []).filter(
      ({ restartPolicy }) => restartPolicy === 'Always',
    );
    for (const container of [...sidecars, ...(pod.spec?.containers ?? [])])
      for (const runtime of running.values())
        if (runtime.name === container.name) this.#ensure(pod, container, runtime, options);
  }

  verdicts(observed: PodRuntimeState): ProbeVerdicts {
    const started = new Set<string>();
    const ready = new Set<string>();
    const unhealthy = new Map<string, Unhealthy>();
    for (const { id, state } of observed.containers) {
      if (state !== 'running') continue;
      const workers = this.#probed.get(id)?.workers;
      const verdict = (kind: ProbeKind) => workers?.get(kind)?.verdict;
      const begun = !workers?.has('startup') || verdict('startup') === true;
      if (begun) started.add(id);
      const container = this.#probed.get(id)?.container;
      if (begun && (container?.readinessProbe ? verdict('readiness') === true : true)) ready.add(id);
      for (const kind of ['startup', 'liveness'] as const)
        if (verdict(kind) === false) {
          const gracePeriod = workers!.get(kind)!.probe.terminationGracePeriodSeconds;
          unhealthy.set(id, { kind, ...(gracePeriod !== undefined && { gracePeriod }) });
        }
    }
    return { started, ready, unhealthy };
  }

  stop(): void {
    for (const id of this.#probed.keys()) this.#end(id);
  }

  #end(id: string): void {
    for (const worker of this.#probed.get(id)?.workers.values() ?? []) worker.stop();
    this.#probed.delete(id);
  }

  #ensure(
    pod: Pod,
    container: Container,
    runtime: RuntimeContainer,
    options: { podIP: string; terminating: boolean },
  ): void {
    let probed = this.#probed.get(runtime.id);
    if (!probed) {
      probed = { container, workers: new Map() };
      this.#probed.set(runtime.id, probed);
    }
    const { workers } = probed;
    if (options.terminating) {
      for (const kind of ['startup', 'liveness'] as const) {
        workers.get(kind)?.stop();
      }
      return;
    }
    // What the API said of this very container spares it a second start-up after a restart of the kubelet.
    const status = apiStatusOf(pod, container.name);
    const same = status?.containerID === apiContainerID(runtime.id);
    const add = (kind: ProbeKind, initial: boolean | undefined) => {
      const probe = container[`${kind}Probe`];
      if (!probe || workers.has(kind)) return;
      workers.set(
        kind,
        new ProbeWorker({
          kind,
          probe,
          startedAt: Date.parse(runtime.startedAt ?? runtime.createdAt),
          initial,
          run: () =>
            runProbe(this.#options.runtime, probe, {
              container,
              containerID: runtime.id,
              podIP: options.podIP,
            }),
          failed: (message) =>
            this.#options.event(container, 'Warning', 'Unhealthy', `${title[kind]} probe failed: ${message}`),
          errored: (error) =>
            this.#options.event(
              container,
              'Warning',
              'Unhealthy',
              `${title[kind]} probe errored and resulted in unknown state: ${error.message}`,
            ),
          verdictChanged: () => this.#options.changed(),
        }),
      );
    };
    add('startup', same && status.started ? true : undefined);
    if (container.startupProbe && workers.get('startup')?.verdict !== true) return;
    add('readiness', same && status.ready ? true : undefined);
    add('liveness', undefined);
  }
}
