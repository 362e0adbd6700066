import { amountOf } from '../api/pods.ts';
import type { Node, Taint } from '../api/types/core-v1.ts';
import type { HostPort, PodInfo } from './pod-info.ts';

const anyAddress = '0.0.0.0';

/**
 * A node with what its pods use of it.
 *
 * Kept up to date by adding and removing single pods: the work of a change does not grow with the node.
 */
export class NodeInfo {
  readonly name: string;
  /** Undefined while pods name a node that is not known (yet). */
  node: Node | undefined;
  labels: Readonly<Record<string, string>> = {};
  unschedulable = false;
  /** Taints that keep pods off, and those that only advise. */
  hardTaints: readonly Taint[] = [];
  softTaints: readonly Taint[] = [];
  allocatableCPU = 0;
  allocatableMemory = 0;
  allocatableOthers: Readonly<Record<string, number>> = {};
  allowedPods = 0;
  cpu = 0;
  memory = 0;
  readonly others = new Map<string, number>();
  weighedCPU = 0;
  weighedMemory = 0;
  readonly pods = new Map<string, PodInfo>();
  /** Pods with (anti-)affinity terms of their own: they bear upon where others may go. */
  readonly withAffinity = new Set<PodInfo>();
  /** Bytes by image name. */
  images: ReadonlyMap<string, number> = new Map();
  readonly #ports = new Map<string, number>();

  constructor(name: string) {
    this.name = name;
  }

  setNode(node: Node | undefined): void {
    this.node = node;
    this.labels = node?.metadata?.labels ?? {};
    this.unschedulable = node?.spec?.unschedulable === true;
    const taints = node?.spec?.taints ?? [];
    this.hardTaints = taints.filter((taint) => taint.effect !== 'PreferNoSchedule');
    this.softTaints = taints.filter((taint) => taint.effect === 'PreferNoSchedule');
    const { cpu = '0', memory = '0', pods = '0', ...others } = node?.status?.allocatable ?? {};
    this.allocatableCPU = amountOf('cpu', cpu);
    this.allocatableMemory = amountOf('memory', memory);
    this.allowedPods = amountOf('pods', pods);
    this.allocatableOthers = Object.fromEntries(
      Object.entries(others).map(([resource, quantity]) => [resource, amountOf(resource, quantity)]),
    );
    const images = new Map<string, number>();
    for (const image of node?.status?.images ?? [])
      for (const name of image.names ?? []) images.set(name, image.sizeBytes ?? 0);
    this.images = images;
  }

  addPod(info: PodInfo): void {
    this.removePod(info.uid);
    this.pods.set(info.uid, info);
    this.#count(info, 1);
  }

  removePod(uid: string): void {
    const info = this.pods.get(uid);
    if (!info) return;
    this.pods.delete(uid);
    this.#count(info, -1);
  }

  /** Whether another pod of this node holds the port on the same address, or on all. */
  hasPort({ ip, protocol, port }: HostPort): boolean {
    if (!this.#ports.size) return false;
    if (ip !== anyAddress)
      return (
        this.#ports.has(`${protocol} ${port} ${ip}`) || this.#ports.has(`${protocol} ${port} ${anyAddress}`)
      );
    const prefix = `${protocol} ${port} `;
    for (const key of this.#ports.keys()) if (key.startsWith(prefix)) return true;
    return false;
  }

  #count(info: PodInfo, sign: 1 | -1): void {
    this.cpu += sign * info.cpu;
    this.memory += sign * info.memory;
    this.weighedCPU += sign * info.weighedCPU;
    this.weighedMemory += sign * info.weighedMemory;
    for (const resource in info.others)
      this.others.set(resource, (this.others.get(resource) ?? 0) + sign * info.others[resource]!);
    for (const { ip, protocol, port } of info.hostPorts) {
      const key = `${protocol} ${port} ${ip}`;
      const left = (this.#ports.get(key) ?? 0) + sign;
      if (left) this.#ports.set(key, left);
      else this.#ports.delete(key);
    }
    if (!info.affinity.length && !info.antiAffinity.length && !info.preferredAffinity.length) return;
    if (sign > 0) this.withAffinity.add(info);
    else this.withAffinity.delete(info);
  }
}
