import type { KindRegistry } from '../registry/kind-registry.ts';
import type { RequestInfo } from '../rest/request-info.ts';

/** Upper bounds in seconds, as kube-apiserver's. */
const buckets = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];

const seriesLimit = 2_000;
const emptyCounts = (): number[] => buckets.map(() => 0);

interface Series {
  labels: string;
  /** Requests by code. */
  totals: Map<number, number>;
  /** Requests by bucket of their duration. */
  counts: number[];
  sum: number;
  count: number;
}

const escaped = (value: string): string => value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
const labelText = (labels: Record<string, string>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',');

const labelsOf = (info: RequestInfo, known: boolean): string =>
  labelText({
    verb: info.isResource ? info.verb.toUpperCase() : info.method,
    group: known ? info.group : '',
    version: known ? info.version : '',
    resource: known ? info.resource : '',
    subresource: known ? info.subresource : '',
  });

/**
 * Counts requests and renders them with the server's state as Prometheus text, under kube-apiserver's names.
 * A few counters by hand instead of a library: every request passes here.
 */
export class RequestMetrics {
  readonly #registry: KindRegistry;
  /** By everything that goes into the labels, so that labels are put together once. */
  readonly #series = new Map<string, Series>();
  #rejected = 0;

  constructor(registry: KindRegistry) {
    this.#registry = registry;
  }

  /** Notes one answered request; a watch counts when it ends. */
  observe(info: RequestInfo, code: number, seconds: number): void {
    // What is not served must not make series: anybody could make any number of them.
    const known = info.isResource && !!this.#registry.get(info.group, info.version, info.resource);
    const key = known
      ? `${info.verb} ${info.group} ${info.version} ${info.resource} ${info.subresource}`
      : `${info.isResource} ${info.verb}`;
    let series = this.#series.get(key);
    if (!series) {
      series = { labels: labelsOf(info, known), totals: new Map(), counts: emptyCounts(), sum: 0, count: 0 };
      // Subresources are named by clients.
      if (this.#series.size < seriesLimit) this.#series.set(key, series);
    }
    series.totals.set(code, (series.totals.get(code) ?? 0) + 1);
    series.sum += seconds;
    series.count++;
    const bucket = buckets.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) series.counts[bucket]!++;
  }

  /** Notes one request refused because too many were in flight. */
  reject(): void {
    this.#rejected++;
  }

  /** https://prometheus.io/docs/instrumenting/exposition_formats/ */
  render(state: { inFlight: number; storeRevision: number }): string {
    const lines: string[] = [];
    const head = (name: string, type: string, help: string) =>
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    head('apiserver_request_total', 'counter', 'Requests by verb, resource and code.');
    for (const { labels, totals } of this.#series.values())
      for (const [code, value] of totals)
        lines.push(`apiserver_request_total{${labels},code="${code}"} ${value}`);
    const duration = 'apiserver_request_duration_seconds';
    head(duration, 'histogram', 'Time to answer, in seconds.');
    for (const { labels, counts, sum, count } of this.#series.values()) {
      let cumulative = 0;
      for (const [index, bound] of buckets.entries()) {
        cumulative += counts[index]!;
        lines.push(`${duration}_bucket{${labels},le="${bound}"} ${cumulative}`);
      }
      lines.push(`${duration}_bucket{${labels},le="+Inf"} ${count}`);
      lines.push(`${duration}_sum{${labels}} ${sum}`, `${duration}_count{${labels}} ${count}`);
    }
    head('apiserver_current_inflight_requests', 'gauge', 'Requests being answered, watches aside.');
    lines.push(`apiserver_current_inflight_requests ${state.inFlight}`);
    head(
      'apiserver_flowcontrol_rejected_requests_total',
      'counter',
      'Requests refused because of too many others.',
    );
    lines.push(`apiserver_flowcontrol_rejected_requests_total ${this.#rejected}`);
    head('apiserver_longrunning_requests', 'gauge', 'Open watches by resource.');
    head('apiserver_storage_objects', 'gauge', 'Objects by resource.');
    for (const { kind, cache } of this.#registry.all()) {
      const resource = kind.group ? `${kind.plural}.${kind.group}` : kind.plural;
      lines.push(`apiserver_longrunning_requests{verb="WATCH",resource="${resource}"} ${cache.watcherCount}`);
      lines.push(`apiserver_storage_objects{resource="${resource}"} ${cache.size}`);
    }
    head('apiserver_store_revision', 'gauge', 'Revision of the store that the caches show.');
    lines.push(`apiserver_store_revision ${state.storeRevision}`);
    const memory = process.memoryUsage.rss();
    const { user, system } = process.cpuUsage();
    head('process_resident_memory_bytes', 'gauge', 'Resident memory, in bytes.');
    lines.push(`process_resident_memory_bytes ${memory}`);
    head('process_cpu_seconds_total', 'counter', 'User and system time, in seconds.');
    lines.push(`process_cpu_seconds_total ${(user + system) / 1e6}`);
    return `${lines.join('\n')}\n`;
  }
}
