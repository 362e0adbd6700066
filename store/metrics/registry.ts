/** Metrics in Prometheus' text format, without a library: every process that is small stays small. */

type Labels = Readonly<Record<string, string>>;

/** Labels as they are printed. */
export function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`,
  );
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

interface Metric {
  lines(): string[];
}

/** A number that only grows, per combination of labels. */
export class Counter implements Metric {
  private readonly name: string;
  private readonly values = new Map<string, number>();

  constructor(name: string) {
    this.name = name;
  }

  add(value = 1, labels: Labels = {}): void {
    this.addTo(labelText(labels), value);
  }

  /** As {@link add}, with labels made into text before, where it happens often. */
  addTo(labels: string, value = 1): void {
    this.values.set(labels, (this.values.get(labels) ?? 0) + value);
  }

  lines(): string[] {
    return [...this.values].map(([labels, value]) => `${this.name}${labels} ${value}`);
  }
}

/** Counts of observations up to each of some bounds. */
export class Histogram implements Metric {
  private readonly name: string;
  private readonly bounds: readonly number[];
  private readonly counts: number[];
  private sum = 0;
  private count = 0;

  constructor(name: string, bounds: readonly number[]) {
    this.name = name;
    this.bounds = bounds;
    this.counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.sum += value;
    this.count++;
    for (let i = this.bounds.length - 1; i >= 0 && value <= this.bounds[i]!; i--) this.counts[i]!++;
  }

  lines(): string[] {
    return [
      ...this.bounds.map((bound, i) => `${this.name}_bucket{le="${bound}"} ${this.counts[i]}`),
      `${this.name}_bucket{le="+Inf"} ${this.count}`,
      `${this.name}_sum ${this.sum}`,
      `${this.name}_count ${this.count}`,
    ];
  }
}

/** A number that is asked for when the metrics are read. */
class Gauge implements Metric {
  private readonly name: string;
  private readonly read: () => number;
  private readonly labels: Labels;

  constructor(name: string, read: () => number, labels: Labels) {
    this.name = name;
    this.read = read;
    this.labels = labels;
  }

  lines(): string[] {
    return [`${this.name}${labelText(this.labels)} ${this.read()}`];
  }
}

export class MetricsRegistry {
  private readonly metrics: { name: string; type: string; help: string; metric: Metric }[] = [];

  counter(name: string, help: string): Counter {
    const metric = new Counter(name);
    this.metrics.push({ name, type: 'counter', help, metric });
    return metric;
  }

  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const metric = new Histogram(name, bounds);
    this.metrics.push({ name, type: 'histogram', help, metric });
    return metric;
  }

  gauge(name: string, help: string, read: () => number, labels: Labels = {}): void {
    this.metrics.push({ name, type: 'gauge', help, metric: new Gauge(name, read, labels) });
  }

  /** A counter that somebody else keeps. */
  counted(name: string, help: string, read: () => number): void {
    this.metrics.push({ name, type: 'counter', help, metric: new Gauge(name, read, {}) });
  }

  text(): string {
    return this.metrics
      .map(({ name, type, help, metric }) =>
        [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...metric.lines(), ''].join('\n'),
      )
      .join('');
  }
}
