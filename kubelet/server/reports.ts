import { availableParallelism } from 'node:os';
import { version } from '../../client/version.ts';
import type { PodLookup } from '../runtime/types.ts';
import type { KubeletServerOptions } from './kubelet-server.ts';
import { cadvisorMetrics, family, resourceMetrics } from './reports/prometheus.ts';
import { cpuRates, type Rates, summaryOf } from './reports/summary.ts';
import { readUsage, type Usage, type UsageParts } from './reports/usage.ts';

/** A reading is shared by all who ask within this time, in milliseconds, for it costs a request a container. */
const keptForMs = 5000;

interface Reading {
  at: number;
  usage: Usage;
  rates: Rates;
}

function ownMetrics(lookup: PodLookup, nodeName: string, startedAt: number): string {
  const states = lookup.pods().flatMap(({ metadata }) => lookup.runtimeState(metadata?.uid ?? '') ?? []);
  const containers = states.flatMap((state) => state.containers);
  const running = states.filter(({ sandboxes }) => sandboxes.some(({ state }) => state === 'running'));
  const { user, system } = process.cpuUsage();
  const { gitVersion } = version;
  return [
    family('kubelet_node_name', 'gauge', "The node's name. The count is always 1.", [
      [{ node: nodeName }, 1],
    ]),
    family('kubelet_running_pods', 'gauge', 'Number of pods that have a running pod sandbox', [
      [{}, running.length],
    ]),
    family(
      'kubelet_running_containers',
      'gauge',
      'Number of containers currently running',
      ['created', 'running', 'exited'].map((state) => [
        { container_state: state },
        containers.filter((container) => container.state === state).length,
      ]),
    ),
    family('kubernetes_build_info', 'gauge', 'A metric with a constant 1 value labeled by version.', [
      [{ git_version: gitVersion }, 1],
    ]),
    family('process_cpu_seconds_total', 'counter', 'Total user and system CPU time spent in seconds.', [
      [{}, (user + system) / 1e6],
    ]),
    family('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', [
      [{}, process.memoryUsage.rss()],
    ]),
    family('process_start_time_seconds', 'gauge', 'Start time of the process since unix epoch in seconds.', [
      [{}, startedAt / 1000],
    ]),
  ].join('');
}

/**
 * What the kubelet's server reports of node and pods. Nothing is measured unless somebody asks.
 * `startedAt` is in milliseconds since the epoch.
 */
export function createReports(
  parts: UsageParts & { nodeName: string; startedAt: number },
): KubeletServerOptions['reports'] {
  const { lookup, nodeName, startedAt } = parts;
  let last: Reading | undefined;
  let reading: Promise<Reading> | undefined;

  async function read(): Promise<Reading> {
    const usage = await readUsage(parts);
    last = { at: performance.now(), usage, rates: cpuRates(last?.usage, usage) };
    return last;
  }
  function current(): Promise<Reading> {
    if (last && performance.now() - last.at < keptForMs) return Promise.resolve(last);
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  return {
    metrics: () => ownMetrics(lookup, nodeName, startedAt),
    resourceMetrics: async () => resourceMetrics((await current()).usage),
    cadvisorMetrics: async () => cadvisorMetrics((await current()).usage, availableParallelism()),
    summary: async () => {
      const { usage, rates } = await current();
      return summaryOf(nodeName, usage, rates);
    },
  };
}
