import { FlagError } from '../../api/flags.ts';
import { parseCIDR } from '../../api/net.ts';
import { nodes } from '../../api/resources.ts';
import type { Node } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer } from '../../client/informer.ts';
import { isNotFound } from '../../client/status-error.ts';
import { type ControllerContext, type ControllerDeclaration, QueueController } from '../common/context.ts';
import type { ControllerManagerFlags } from '../flags.ts';
import { type CidrPool, planNodeCIDR } from './plan.ts';

/**
 * Gives each node its part of the cluster's pod range.
 *
 * Invariant: one worker only, and what it has handed out stays reserved until the informer shows it, so that no
 * part is given twice even while the copy lags behind.
 */
class NodeIpamController extends QueueController {
  readonly #client: ApiClient;
  readonly #events: EventRecorder;
  readonly #pool: CidrPool;
  readonly #nodes: Informer<Node>;
  /** By node name. */
  readonly #handedOut = new Map<string, string>();

  constructor(context: ControllerContext, pool: CidrPool) {
    super({ sync: (key) => this.#sync(key), workers: 1, log: context.log });
    this.#client = context.client;
    this.#events = context.events('cidrAllocator');
    this.#pool = pool;
    this.#nodes = context.informers.informer(nodes);
    this.#nodes.on({
      add: (node) => this.#observe(node),
      update: (node) => this.#observe(node),
      delete: (node) => {
        this.#handedOut.delete(node.metadata?.name ?? '');
        // Its part is free now: a node that found the range full may have it.
        for (const other of this.#nodes.values()) this.#observe(other);
      },
    });
  }

  #observe(node: Node): void {
    const name = node.metadata?.name ?? '';
    if (node.spec?.podCIDR) this.#handedOut.delete(name);
    else this.queue.add(name);
  }

  async #sync(name: string): Promise<void> {
    const node = this.#nodes.get(name);
    if (!node || node.spec?.podCIDR || node.metadata?.deletionTimestamp) return;
    const used = [...this.#nodes.values()].flatMap((other) => other.spec?.podCIDR ?? []);
    const reserved = [...this.#handedOut].filter(([other]) => other !== name).map(([, cidr]) => cidr);
    const cidr = this.#handedOut.get(name) ?? planNodeCIDR(this.#pool, [...used, ...reserved]);
    if (!cidr) {
      this.#events.event(node, 'Normal', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`);
      return;
    }
    this.#handedOut.set(name, cidr);
    const body = { metadata: { uid: node.metadata?.uid }, spec: { podCIDR: cidr, podCIDRs: [cidr] } };
    try {
      await this.#client.patch(nodes, { name }, { type: 'merge', body });
    } catch (error) {
      this.#handedOut.delete(name);
      if (!isNotFound(error)) throw error;
    }
  }
}

/** The pool that the flags describe. @throws {FlagError} */
export function poolFromFlags(flags: ControllerManagerFlags): CidrPool {
  const cluster = parseCIDR(flags['cluster-cidr']);
  if (!cluster)
    throw new FlagError(
      `invalid argument ${JSON.stringify(flags['cluster-cidr'])} for "--cluster-cidr" flag: must be an IPv4 network such as 10.244.0.0/16`,
    );
  const nodePrefix = flags['node-cidr-mask-size'];
  if (!Number.isInteger(nodePrefix) || nodePrefix < cluster.prefix || nodePrefix > 32)
    throw new FlagError(
      `invalid argument "${nodePrefix}" for "--node-cidr-mask-size" flag: must be from ${cluster.prefix} (the prefix of --cluster-cidr) to 32`,
    );
  const reserved = parseCIDR(flags['service-cluster-ip-range']);
  if (!reserved)
    throw new FlagError(
      `invalid argument ${JSON.stringify(flags['service-cluster-ip-range'])} for "--service-cluster-ip-range" flag: must be an IPv4 network such as 10.96.0.0/16`,
    );
  return { cluster, nodePrefix, reserved };
}

export const nodeIpamController: ControllerDeclaration = {
  name: 'node-ipam-controller',
  aliases: ['nodeipam'],
  setUp: (context) =>
    context.flags['allocate-node-cidrs']
      ? new NodeIpamController(context, poolFromFlags(context.flags))
      : undefined,
};
