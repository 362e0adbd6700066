import type { Pod } from '../../../api/types/core-v1.ts';
import type { ContainerRuntime, ContainerStats, PodLookup, RuntimeContainer } from '../../runtime/types.ts';
import { type NodeUsage, readNodeUsage } from './node-usage.ts';

export interface ContainerUsage {
  container: RuntimeContainer;
  stats: ContainerStats;
}

export interface PodUsage {
  pod: Pod;
  /** Its network counters are the pod's. */
  sandbox?: ContainerStats;
  containers: ContainerUsage[];
}

export interface Usage {
  node: NodeUsage;
  pods: PodUsage[];
}

export interface UsageParts {
  lookup: PodLookup;
  runtime: ContainerRuntime;
  /** On the file system that pods use. */
  rootDirectory: string;
}

/** Pods that are looked at at one time. */
const atOnce = 8;

async function podUsage({ lookup, runtime }: UsageParts, pod: Pod): Promise<PodUsage> {
  const state = lookup.runtimeState(pod.metadata?.uid ?? '');
  // A container that stops meanwhile has no figures: it is left out.
  const read = (id: string) => runtime.stats(id).catch(() => undefined);
  const running = state?.containers.filter((container) => container.state === 'running') ?? [];
  const sandbox = state?.sandboxes.find((one) => one.state === 'running' && !one.hostNetwork);
  const [sandboxStats, ...stats] = await Promise.all([
    sandbox && read(sandbox.id),
    ...running.map(({ id }) => read(id)),
  ]);
  return {
    pod,
    sandbox: sandboxStats,
    containers: running.flatMap((container, i) => (stats[i] ? [{ container, stats: stats[i] }] : [])),
  };
}

/** What the node and every running container use now. */
export async function readUsage(parts: UsageParts): Promise<Usage> {
  const rest = parts.lookup
    .pods()
    .filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
  const pods: PodUsage[] = [];
  const worker = async () => {
    for (let pod = rest.shift(); pod; pod = rest.shift()) pods.push(await podUsage(parts, pod));
  };
  const [node] = await Promise.all([
    readNodeUsage(parts.rootDirectory),
    ...Array.from({ length: atOnce }, worker),
  ]);
  return { node, pods };
}
