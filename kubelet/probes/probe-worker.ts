import type { Probe } from '../../api/types/core-v1.ts';
import {
  afterProbe,
  firstProbeDelay,
  freshProbe,
  type ProbeKind,
  type ProbeState,
  probePeriod,
} from './probe-state.ts';
import type { ProbeResult } from './run-probe.ts';

export interface ProbeWorkerOptions {
  kind: ProbeKind;
  probe: Probe;
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** Verdict known from before a restart of the kubelet. */
  initial?: boolean;
  run(): Promise<ProbeResult>;
  /** A result that is a failure; not called for results that change nothing else. */
  failed(message: string): void;
  /** The probe could not be run. */
  errored(error: Error): void;
  verdictChanged(): void;
}

/**
 * Runs one probe of one container again and again, one run at a time, with a timer between runs and none
 * beside them. Startup stops at its first verdict; liveness stops once it has failed, because the container
 * is then killed.
 */
export class ProbeWorker {
  readonly kind: ProbeKind;
  readonly probe: Probe;
  readonly #options: ProbeWorkerOptions;
  #state: ProbeState;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: ProbeWorkerOptions) {
    this.#options = options;
    this.kind = options.kind;
    this.probe = options.probe;
    this.#state = options.initial === undefined ? freshProbe : { ...freshProbe, verdict: options.initial };
    if (!this.#decided()) this.#schedule(firstProbeDelay(options.probe, options.startedAt, Date.now()));
  }

  get verdict(): boolean | undefined {
    return this.#state.verdict;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #decided(): boolean {
    const { verdict } = this.#state;
    return (
      (this.kind === 'startup' && verdict !== undefined) || (this.kind === 'liveness' && verdict === false)
    );
  }

  #schedule(milliseconds: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#tick(), milliseconds);
    this.#timer.unref();
  }

  async #tick(): Promise<void> {
    const began = performance.now();
    try {
      const result = await this.#options.run();
      if (this.#stopped) return;
      const before = this.#state.verdict;
      this.#state = afterProbe(this.#state, result.success, this.probe);
      if (!result.success) this.#options.failed(result.message);
      if (this.#state.verdict !== before) this.#options.verdictChanged();
    } catch (error) {
      if (this.#stopped) return;
      this.#options.errored(error as Error);
    }
    if (!this.#decided()) this.#schedule(Math.max(0, probePeriod(this.probe) - (performance.now() - began)));
  }
}
