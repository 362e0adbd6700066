import type { Container, ContainerStatus, Pod } from '../../api/types/core-v1.ts';
import type { TableColumn } from '../registry/kind.ts';
import { age, ageColumn, nameColumn } from './common.ts';

/** What `kubectl get pods` says of one pod. */
export interface PodSummary {
  ready: number;
  containers: number;
  status: string;
  restarts: number;
  /** RFC 3339; absent if no container has restarted. */
  lastRestart?: string;
}

const isSidecar = (container: Container | undefined): boolean => container?.restartPolicy === 'Always';

const conditionTrue = (pod: Pod, type: string): boolean =>
  pod.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ??
  false;

const later = (a: string | undefined, b: string | undefined): string | undefined =>
  !a || (b && Date.parse(b) > Date.parse(a)) ? b : a;

function terminatedText(terminated: { reason?: string; signal?: number; exitCode: number }): string {
  if (terminated.reason) return terminated.reason;
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}

/** The `Init:…` status while init containers run; undefined once the app containers decide. */
function initStatus(
  pod: Pod,
  counters: { ready: number; restarts: number; last?: string },
): string | undefined {
  const declared = pod.spec?.initContainers ?? [];
  const statuses = pod.status?.initContainerStatuses ?? [];
  for (const [index, status] of statuses.entries()) {
    const container = declared.find((item) => item.name === status.name);
    counters.restarts += status.restartCount;
    if (status.lastState?.terminated)
      counters.last = later(counters.last, status.lastState.terminated.finishedAt);
    const { terminated, waiting } = status.state ?? {};
    if (terminated && terminated.exitCode === 0) continue;
    if (isSidecar(container) && status.started) {
      if (status.ready) counters.ready++;
      continue;
    }
    if (terminated) return `Init:${terminatedText(terminated)}`;
    if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
    return `Init:${index}/${declared.length}`;
  }
  return undefined;
}

function appStatus(
  statuses: readonly ContainerStatus[],
  counters: { ready: number; restarts: number; last?: string },
): { reason?: string; running: boolean } {
  let reason: string | undefined;
  let running = false;
  for (const status of [...statuses].reverse()) {
    counters.restarts += status.restartCount;
    if (status.lastState?.terminated)
      counters.last = later(counters.last, status.lastState.terminated.finishedAt);
    const state = status.state ?? {};
    if (state.waiting?.reason) reason = state.waiting.reason;
    else if (state.terminated) reason = terminatedText(state.terminated);
    else if (status.ready && state.running) {
      running = true;
      counters.ready++;
    }
  }
  return { reason, running };
}

/** READY, STATUS and RESTARTS as `kubectl get pods` shows them. */
export function summarizePod(pod: Pod): PodSummary {
  const sidecars = (pod.spec?.initContainers ?? []).filter(isSidecar);
  const containers = (pod.spec?.containers.length ?? 0) + sidecars.length;
  const phase = pod.status?.phase ?? '';
  let status = pod.status?.reason || phase;
  for (const condition of pod.status?.conditions ?? [])
    if (condition.type === 'PodScheduled' && condition.reason === 'SchedulingGated')
      status = 'SchedulingGated';

  const counters: { ready: number; restarts: number; last?: string } = { ready: 0, restarts: 0 };
  const initializing = initStatus(pod, counters);
  if (initializing) status = initializing;
  if (!initializing || conditionTrue(pod, 'Initialized')) {
    // From here on only restarts of app containers and sidecars count.
    const sidecarNames = new Set(sidecars.map((container) => container.name));
    const sidecarStatuses = (pod.status?.initContainerStatuses ?? []).filter((item) =>
      sidecarNames.has(item.name),
    );
    counters.restarts = sidecarStatuses.reduce((sum, item) => sum + item.restartCount, 0);
    counters.last = sidecarStatuses.reduce<string | undefined>(
      (last, item) => later(last, item.lastState?.terminated?.finishedAt),
      undefined,
    );
    const app = appStatus(pod.status?.containerStatuses ?? [], counters);
    if (app.reason) status = app.reason;
    if (status === 'Completed' && app.running) status = conditionTrue(pod, 'Ready') ? 'Running' : 'NotReady';
  }

  if (pod.metadata?.deletionTimestamp) {
    if (pod.status?.reason === 'NodeLost') status = 'Unknown';
    else if (phase !== 'Succeeded' && phase !== 'Failed') status = 'Terminating';
  }
  return {
    ready: counters.ready,
    containers,
    status,
    restarts: counters.restarts,
    lastRestart: counters.last,
  };
}

// One row asks for three cells of the same pod in a row.
let lastPod: Pod | undefined;
let lastSummary: PodSummary;
function summaryOf(pod: Pod): PodSummary {
  if (pod !== lastPod) {
    lastSummary = summarizePod(pod);
    lastPod = pod;
  }
  return lastSummary;
}

function restartsText(pod: Pod, now: number): string | number {
  const { restarts, lastRestart } = summaryOf(pod);
  return restarts && lastRestart ? `${restarts} (${age(lastRestart, now)} ago)` : String(restarts);
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (!gates.length) return '<none>';
  return `${gates.filter((gate) => conditionTrue(pod, gate.conditionType)).length}/${gates.length}`;
}

/** The columns of `kubectl get pods`. */
export const podColumns: readonly TableColumn<Pod>[] = [
  nameColumn,
  {
    name: 'Ready',
    type: 'string',
    description: 'The aggregate readiness state of this pod for accepting traffic.',
    value: (pod) => `${summaryOf(pod).ready}/${summaryOf(pod).containers}`,
  },
  {
    name: 'Status',
    type: 'string',
    description: 'The aggregate status of the containers in this pod.',
    value: (pod) => summaryOf(pod).status,
  },
  {
    name: 'Restarts',
    type: 'string',
    description:
      'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    value: restartsText,
  },
  ageColumn,
  {
    name: 'IP',
    type: 'string',
    priority: 1,
    description: 'Address of the pod in the cluster.',
    value: (pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '<none>',
  },
  {
    name: 'Node',
    type: 'string',
    priority: 1,
    description: 'The node on which the pod runs.',
    value: (pod) => pod.spec?.nodeName || '<none>',
  },
  {
    name: 'Nominated Node',
    type: 'string',
    priority: 1,
    description: 'The node that preemption has made room on for the pod.',
    value: (pod) => pod.status?.nominatedNodeName || '<none>',
  },
  {
    name: 'Readiness Gates',
    type: 'string',
    priority: 1,
    description: 'How many of the conditions that the pod also needs to be ready are true.',
    value: readinessGates,
  },
];
