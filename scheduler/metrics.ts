/** Upper bounds of the duration buckets, in seconds. */
const bounds = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096];

class Histogram {
  readonly #buckets = new Array<number>(bounds.length).fill(0);
  #sum = 0;
  #count = 0;

  observe(seconds: number): void {
    this.#sum += seconds;
    this.#count++;
    for (let i = bounds.length - 1; i >= 0 && seconds <= bounds[i]!; i--) this.#buckets[i]!++;
  }

  lines(name: string, labels: string): string {
    const between = labels ? `${labels},` : '';
    const braces = labels ? `{${labels}}` : '';
    return [
      ...bounds.map((bound, i) => `${name}_bucket{${between}le="${bound}"} ${this.#buckets[i]}`),
      `${name}_bucket{${between}le="+Inf"} ${this.#count}`,
      `${name}_sum${braces} ${this.#sum}`,
      `${name}_count${braces} ${this.#count}`,
    ].join('\n');
  }
}

type Result = 'scheduled' | 'unschedulable' | 'error';

/** Counts and times of scheduling, by kube-scheduler's names. */
export class SchedulerMetrics {
  readonly #decisions: Readonly<Record<Result, Histogram>> = {
    scheduled: new Histogram(),
    unschedulable: new Histogram(),
    error: new Histogram(),
  };
  readonly #attempts: Record<Result, number> = { scheduled: 0, unschedulable: 0, error: 0 };
  readonly #bindings = new Histogram();

  /** A pod was decided on. */
  decided(result: Result, seconds: number): void {
    this.#attempts[result]++;
    this.#decisions[result].observe(seconds);
  }

  /** A binding was made. */
  bound(seconds: number): void {
    this.#bindings.observe(seconds);
  }

  /** The Prometheus text. https://kubernetes.io/docs/reference/instrumentation/metrics/ */
  format(pending: Readonly<Record<string, number>>): string {
    const { rss } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const results = Object.keys(this.#attempts) as Result[];
    return [
      '# TYPE scheduler_schedule_attempts_total counter',
      ...results.map(
        (result) => `scheduler_schedule_attempts_total{result="${result}"} ${this.#attempts[result]}`,
      ),
      '# TYPE scheduler_scheduling_algorithm_duration_seconds histogram',
      ...results.map((result) =>
        this.#decisions[result].lines(
          'scheduler_scheduling_algorithm_duration_seconds',
          `result="${result}"`,
        ),
      ),
      '# TYPE scheduler_binding_duration_seconds histogram',
      this.#bindings.lines('scheduler_binding_duration_seconds', ''),
      '# TYPE scheduler_pending_pods gauge',
      ...Object.entries(pending).map(([queue, count]) => `scheduler_pending_pods{queue="${queue}"} ${count}`),
      '# TYPE process_resident_memory_bytes gauge',
      `process_resident_memory_bytes ${rss}`,
      '# TYPE process_cpu_seconds_total counter',
      `process_cpu_seconds_total ${(user + system) / 1e6}`,
      '',
    ].join('\n');
  }
}
