import type { Node } from '../api/types/core-v1.ts';
import { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

/**
 * What the scheduler believes of the cluster: nodes, the pods on them, and pods assumed to be on them whose
 * binding the API server has not shown yet.
 *
 * Never copied: decisions are made on it, one pod at a time, and each change costs only itself. An assumed pod
 * stays until there is evidence: it is seen bound, its binding is known to have failed, or it is deleted.
 */
export class Cluster {
  readonly #nodes = new Map<string, NodeInfo>();
  readonly #placed = new Map<string, { info: PodInfo; nodeName: string; assumed: boolean }>();
  #list: NodeInfo[] = [];
  readonly #namespaceLabels: (name: string) => Readonly<Record<string, string>> | undefined;

  constructor(
    options: { namespaceLabels?: (name: string) => Readonly<Record<string, string>> | undefined } = {},
  ) {
    this.#namespaceLabels = options.namespaceLabels ?? (() => undefined);
  }

  /** The known nodes, ordered by name. Valid until a node comes or goes. */
  get nodes(): readonly NodeInfo[] {
    return this.#list;
  }

  namespaceLabels(name: string): Readonly<Record<string, string>> | undefined {
    return this.#namespaceLabels(name);
  }

  node(name: string): NodeInfo | undefined {
    const info = this.#nodes.get(name);
    return info?.node ? info : undefined;
  }

  setNode(node: Node): void {
    const name = node.metadata?.name ?? '';
    const info = this.#nodeInfo(name);
    const isNew = !info.node;
    info.setNode(node);
    if (!isNew) return;
    this.#list = [...this.#list, info].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The node is gone; its pods are remembered until they go too. */
  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (!info) return;
    info.setNode(undefined);
    this.#list = this.#list.filter((item) => item !== info);
    if (!info.pods.size) this.#nodes.delete(name);
  }

  /** Where a pod is or is assumed to be. */
  nodeOf(uid: string): string | undefined {
    return this.#placed.get(uid)?.nodeName;
  }

  isAssumed(uid: string): boolean {
    return this.#placed.get(uid)?.assumed === true;
  }

  /** The pod is seen on a node. */
  place(info: PodInfo, nodeName: string): void {
    this.#put(info, nodeName, false);
  }

  /** The pod is about to be bound to a node and counts there from now on. */
  assume(info: PodInfo, nodeName: string): void {
    this.#put(info, nodeName, true);
  }

  /** The pod is gone, or its binding is known to have failed. Answers the node that it was on. */
  remove(uid: string): string | undefined {
    const entry = this.#placed.get(uid);
    if (!entry) return undefined;
    this.#placed.delete(uid);
    const node = this.#nodes.get(entry.nodeName);
    node?.removePod(uid);
    if (node && !node.node && !node.pods.size) this.#nodes.delete(entry.nodeName);
    return entry.nodeName;
  }

  #put(info: PodInfo, nodeName: string, assumed: boolean): void {
    const before = this.#placed.get(info.uid);
    if (before && before.nodeName !== nodeName) this.remove(info.uid);
    this.#placed.set(info.uid, { info, nodeName, assumed });
    this.#nodeInfo(nodeName).addPod(info);
  }

  #nodeInfo(name: string): NodeInfo {
    let info = this.#nodes.get(name);
    if (!info) {
      info = new NodeInfo(name);
      this.#nodes.set(name, info);
    }
    return info;
  }
}
