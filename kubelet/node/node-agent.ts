import { isDeepStrictEqual } from 'node:util';
import { leases, nodes } from '../../api/resources.ts';
import type { Lease } from '../../api/types/coordination-v1.ts';
import type { Node, NodeStatus, Taint } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { Log } from '../../client/log.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../client/status-error.ts';
import { goArchitecture } from './node-facts.ts';
import { nodeTransitions, sameNodeStatus } from './node-status.ts';

export interface NodeAgentOptions {
  client: ApiClient;
  log: Log;
  name: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  /** Looks at the machine and builds the status, from the one that the API has. */
  status(old: NodeStatus | undefined): Promise<NodeStatus>;
  /** A condition changed: reason and message of the event that tells of it. */
  event(reason: string, message: string): void;
  /** Milliseconds between looks at the machine (`--node-status-update-frequency`). */
  checkEvery: number;
}

/** Milliseconds. https://kubernetes.io/docs/concepts/architecture/nodes/#heartbeats */
const heartbeat = { lease: 10_000, leaseDurationSeconds: 40, report: 300_000 };
const leaseNamespace = 'kube-node-lease';

/** `kubernetes.io` labels that every node has. */
export const standardLabels = (name: string): Record<string, string> => ({
  'beta.kubernetes.io/arch': goArchitecture(),
  'beta.kubernetes.io/os': 'linux',
  'kubernetes.io/arch': goArchitecture(),
  'kubernetes.io/hostname': name,
  'kubernetes.io/os': 'linux',
});

const microTime = (now: number): string => new Date(now).toISOString().replace(/Z$/, '000Z');

/**
 * Keeps the node's object and its Lease: registers, renews the Lease every 10 s, writes the status when it
 * changes and every 5 minutes.
 */
export class NodeAgent {
  readonly #options: NodeAgentOptions;
  #lease: Lease | undefined;
  #node: Node | undefined;
  #reported = 0;
  /** The status of which events have told. */
  #told: NodeStatus | undefined;
  #leaseTimer: NodeJS.Timeout | undefined;
  #statusTimer: NodeJS.Timeout | undefined;
  #reporting: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(options: NodeAgentOptions) {
    this.#options = options;
  }

  /** Registers the node, then keeps reporting; resolves once it is registered. */
  async start(signal: AbortSignal): Promise<void> {
    await this.#register(signal);
    signal.addEventListener('abort', () => this.#stop(), { once: true });
    if (signal.aborted) return;
    await this.report();
    void this.#renewLoop();
    this.#scheduleReport();
  }

  /** Takes note of the node as the API has it. */
  observe(node: Node): void {
    if (Number(node.metadata?.resourceVersion) > Number(this.#node?.metadata?.resourceVersion ?? 0))
      this.#node = node;
  }

  /** Looks at the machine now and tells the API if anything changed. */
  report(): Promise<void> {
    if (this.#reporting) this.#again = true;
    this.#reporting ??= this.#reportOnce().finally(() => {
      this.#reporting = undefined;
      if (this.#again && !this.#stopped) {
        this.#again = false;
        void this.report();
      }
    });
    return this.#reporting;
  }

  #stop(): void {
    this.#stopped = true;
    clearTimeout(this.#leaseTimer);
    clearTimeout(this.#statusTimer);
  }

  #scheduleReport(): void {
    if (this.#stopped) return;
    this.#statusTimer = setTimeout(() => {
      void this.report().then(() => this.#scheduleReport());
    }, this.#options.checkEvery);
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { log, name } = this.#options;
    for (let wait = 200; !signal.aborted; wait = Math.min(wait * 2, 7000)) {
      try {
        this.#node = await this.#createOrAdopt();
        log.info({ node: name }, 'node registered');
        return;
      } catch (error) {
        log.warn({ node: name, err: (error as Error).message }, 'node not registered, trying again');
        await new Promise<void>((resolve) => {
          const timer = setTimeout(done, wait);
          signal.addEventListener('abort', done, { once: true });
          function done() {
            clearTimeout(timer);
            signal.removeEventListener('abort', done);
            resolve();
          }
        });
      }
    }
  }

  async #createOrAdopt(): Promise<Node> {
    const { client, name, labels, taints, status } = this.#options;
    const wanted = { ...standardLabels(name), ...labels };
    const node: Node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: wanted },
      spec: taints.length > 0 ? { taints: [...taints] } : {},
      status: await status(undefined),
    };
    try {
      return await client.create(nodes, node);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    const existing = await client.get(nodes, { name });
    const missing = Object.entries(wanted).filter(
      ([key, value]) => existing.metadata?.labels?.[key] !== value,
    );
    if (missing.length === 0) return existing;
    return client.patch(
      nodes,
      { name },
      { type: 'merge', body: { metadata: { labels: Object.fromEntries(missing) } } },
    );
  }

  async #reportOnce(): Promise<void> {
    const { client, log, name } = this.#options;
    try {
      const old = this.#node?.status;
      const next = await this.#options.status(old);
      const now = Date.now();
      if (sameNodeStatus(old, next) && now - this.#reported < heartbeat.report) return;
      const changed = Object.entries(next).filter(
        ([key, value]) => !isDeepStrictEqual(value, old?.[key as keyof NodeStatus]),
      );
      const body = { status: Object.fromEntries(changed) };
      this.#node = await client.patch(
        nodes,
        { name },
        { type: 'strategic', body },
        { subresource: 'status' },
      );
      this.#reported = now;
      for (const reason of nodeTransitions(this.#told, next))
        this.#options.event(reason, `Node ${name} status is now: ${reason}`);
      this.#told = next;
    } catch (error) {
      log.warn({ node: name, err: (error as Error).message }, 'node status not written');
      // Someone deleted the node while the kubelet runs: it comes back.
      if (isNotFound(error)) this.#node = await this.#createOrAdopt().catch(() => undefined);
    }
  }

  async #renewLoop(): Promise<void> {
    try {
      await this.#renew();
    } catch (error) {
      this.#lease = undefined;
      this.#options.log.warn({ err: (error as Error).message }, 'node lease not renewed');
    }
    if (!this.#stopped) this.#leaseTimer = setTimeout(() => void this.#renewLoop(), heartbeat.lease);
  }

  async #renew(): Promise<void> {
    const { client, name } = this.#options;
    const key = { name, namespace: leaseNamespace };
    const spec = {
      holderIdentity: name,
      leaseDurationSeconds: heartbeat.leaseDurationSeconds,
      renewTime: microTime(Date.now()),
    };
    if (!this.#lease) {
      const owner = { apiVersion: 'v1', kind: 'Node', name, uid: this.#node?.metadata?.uid ?? '' };
      try {
        this.#lease = await client.create(leases, {
          apiVersion: 'coordination.k8s.io/v1',
          kind: 'Lease',
          metadata: { ...key, ...(owner.uid && { ownerReferences: [owner] }) },
          spec,
        });
        return;
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        this.#lease = await client.get(leases, key);
      }
    }
    try {
      this.#lease = await client.update(leases, { ...this.#lease, spec: { ...this.#lease.spec, ...spec } });
    } catch (error) {
      if (!isConflict(error)) throw error;
      this.#lease = await client.get(leases, key);
      this.#lease = await client.update(leases, { ...this.#lease, spec: { ...this.#lease.spec, ...spec } });
    }
  }
}
