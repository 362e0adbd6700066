import { findCondition } from '../../api/conditions.ts';
import type { NodeCondition, NodeStatus, NodeSystemInfo } from '../../api/types/core-v1.ts';
import type { Headroom, NodeCapacity } from './node-facts.ts';

/** Memory that is kept free, in bytes. */
export const memoryThreshold = 100 * 2 ** 20;
/** Hard eviction thresholds of the kubelet. https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/ */
const thresholds = { memoryBytes: memoryThreshold, diskPart: 0.1, inodePart: 0.05, pids: 100 };

export interface Pressure {
  memory: boolean;
  disk: boolean;
  pid: boolean;
}

/** Which thresholds are crossed. A file system without inodes has none to run out of. */
export const pressureOf = (headroom: Headroom): Pressure => ({
  memory: headroom.memoryAvailableBytes < thresholds.memoryBytes,
  disk:
    headroom.diskAvailableBytes < headroom.diskTotalBytes * thresholds.diskPart ||
    (headroom.inodesTotal > 0 && headroom.inodesFree < headroom.inodesTotal * thresholds.inodePart),
  pid: headroom.pidsLeft < thresholds.pids,
});

export interface SystemReserved {
  milliCPU: number;
  memoryBytes: number;
  ephemeralStorageBytes: number;
}

export interface NodeStatusInput {
  old: NodeStatus | undefined;
  nodeIP: string;
  hostname: string;
  port: number;
  capacity: NodeCapacity;
  reserved: SystemReserved;
  systemInfo: NodeSystemInfo;
  images: { names: string[]; sizeBytes: number }[];
  pressure: Pressure;
  /** Why the kubelet is not ready; empty: it is. */
  problems: readonly string[];
  /** RFC 3339. */
  now: string;
}

/** Most images that a node reports, largest first. */
const mostImages = 50;

const kibi = (bytes: number): string => `${Math.floor(bytes / 1024)}Ki`;

/** What is left for pods: the capacity less what is reserved and what the eviction threshold keeps free. */
export function allocatableOf(capacity: NodeCapacity, reserved: SystemReserved) {
  return {
    milliCPU: Math.max(0, capacity.cpus * 1000 - reserved.milliCPU),
    memoryBytes: Math.max(0, capacity.memoryBytes - reserved.memoryBytes - thresholds.memoryBytes),
    ephemeralStorageBytes: Math.max(
      0,
      Math.floor(capacity.ephemeralStorageBytes * (1 - thresholds.diskPart)) - reserved.ephemeralStorageBytes,
    ),
    pods: capacity.pods,
  };
}

const cpuText = (milli: number): string => (milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`);

interface Verdict {
  type: string;
  status: boolean;
  reason: string;
  message: string;
}

function verdicts({ pressure, problems }: NodeStatusInput): Verdict[] {
  return [
    {
      type: 'MemoryPressure',
      status: pressure.memory,
      reason: pressure.memory ? 'KubeletHasInsufficientMemory' : 'KubeletHasSufficientMemory',
      message: `kubelet has ${pressure.memory ? 'insufficient' : 'sufficient'} memory available`,
    },
    {
      type: 'DiskPressure',
      status: pressure.disk,
      reason: pressure.disk ? 'KubeletHasDiskPressure' : 'KubeletHasNoDiskPressure',
      message: `kubelet has ${pressure.disk ? '' : 'no '}disk pressure`,
    },
    {
      type: 'PIDPressure',
      status: pressure.pid,
      reason: pressure.pid ? 'KubeletHasInsufficientPID' : 'KubeletHasSufficientPID',
      message: `kubelet has ${pressure.pid ? 'insufficient' : 'sufficient'} PID available`,
    },
    {
      type: 'Ready',
      status: problems.length === 0,
      reason: problems.length === 0 ? 'KubeletReady' : 'KubeletNotReady',
      message: problems.length === 0 ? 'kubelet is posting ready status' : problems.join(', '),
    },
  ];
}

function conditions(input: NodeStatusInput): NodeCondition[] {
  const own = verdicts(input).map(({ type, status, reason, message }) => {
    const text = status ? 'True' : 'False';
    const before = findCondition(input.old?.conditions, type);
    const since = before?.status === text ? before.lastTransitionTime : undefined;
    return {
      type,
      status: text,
      lastHeartbeatTime: input.now,
      lastTransitionTime: since ?? input.now,
      reason,
      message,
    };
  });
  const others = (input.old?.conditions ?? []).filter(({ type }) => !own.some((one) => one.type === type));
  return [...others, ...own];
}

/**
 * The node's whole status. Pure.
 * https://kubernetes.io/docs/reference/node/node-status/
 */
export function buildNodeStatus(input: NodeStatusInput): NodeStatus {
  const { old, nodeIP, hostname, port, capacity, reserved, systemInfo, images } = input;
  const allocatable = allocatableOf(capacity, reserved);
  return {
    ...(old?.volumesAttached && { volumesAttached: old.volumesAttached }),
    addresses: [
      { type: 'InternalIP', address: nodeIP },
      { type: 'Hostname', address: hostname },
    ],
    capacity: {
      cpu: String(capacity.cpus),
      'ephemeral-storage': kibi(capacity.ephemeralStorageBytes),
      memory: kibi(capacity.memoryBytes),
      pods: String(capacity.pods),
    },
    allocatable: {
      cpu: cpuText(allocatable.milliCPU),
      'ephemeral-storage': String(allocatable.ephemeralStorageBytes),
      memory: kibi(allocatable.memoryBytes),
      pods: String(allocatable.pods),
    },
    conditions: conditions(input),
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
    nodeInfo: systemInfo,
    images: images.toSorted((a, b) => b.sizeBytes - a.sizeBytes).slice(0, mostImages),
  };
}

/** Whether two statuses say the same but for the heartbeat. */
export function sameNodeStatus(a: NodeStatus | undefined, b: NodeStatus): boolean {
  const still = (status: NodeStatus | undefined) =>
    JSON.stringify(status, (key, value) => (key === 'lastHeartbeatTime' ? undefined : value));
  return still(a) === still(b);
}

const transitionReasons: Readonly<Record<string, readonly [whenTrue: string, whenFalse: string]>> = {
  MemoryPressure: ['NodeHasInsufficientMemory', 'NodeHasSufficientMemory'],
  DiskPressure: ['NodeHasDiskPressure', 'NodeHasNoDiskPressure'],
  PIDPressure: ['NodeHasInsufficientPID', 'NodeHasSufficientPID'],
  Ready: ['NodeReady', 'NodeNotReady'],
};

/** Reasons of the events that tell what changed between two statuses of a node. */
export const nodeTransitions = (old: NodeStatus | undefined, next: NodeStatus): string[] =>
  (next.conditions ?? []).flatMap(({ type, status }) => {
    const reasons = transitionReasons[type];
    if (!reasons || findCondition(old?.conditions, type)?.status === status) return [];
    return [reasons[status === 'True' ? 0 : 1]];
  });
