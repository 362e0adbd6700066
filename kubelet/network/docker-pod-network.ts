import { readFile, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import type Docker from 'dockerode';
import type { NetworkInspectInfo } from 'dockerode';
import { addressAt, parseCIDR } from '../../api/net.ts';
import type { Node } from '../../api/types/core-v1.ts';
import { hasStatus } from '../images/docker-errors.ts';
import { labels, type PodNetwork } from '../runtime/types.ts';
import { AddressPool, gatewayIndex } from './address-pool.ts';
import { planBridgeNetwork } from './bridge-network.ts';
import { runCommand } from './command.ts';
import { planFirewall, planFirewallRemoval } from './firewall.ts';
import { desiredRoutes, parseRoutes, planRoutes, type RouteAction, routeProtocol } from './routes.ts';

export interface DockerPodNetworkOptions {
  docker: Docker;
  clusterName: string;
  nodeName: string;
  /** `--bridge-name`. */
  bridge: string;
  /** `--cluster-cidr`. */
  clusterCIDR: string;
  serviceCIDR?: string;
  /** The node's address, to learn the MTU of its network. */
  nodeIP?: string;
}

async function mtuOf(address: string | undefined): Promise<number | undefined> {
  const found = Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some((one) => one.address === address),
  );
  if (!found || found[0] === 'lo') return undefined;
  return Number(await readFile(`/sys/class/net/${found[0]}/mtu`, 'utf8')) || undefined;
}

async function enableForwarding(): Promise<void> {
  const file = '/proc/sys/net/ipv4/ip_forward';
  if ((await readFile(file, 'utf8')).trim() !== '1') await writeFile(file, '1');
}

/**
 * The node's part of the pod network: a Docker bridge network with the node's pod CIDR, forwarding and
 * masquerading rules, routes to other nodes, and the addresses of its pods. All calls but `allocate`, `adopt`
 * and `release` look at what is there and change only what differs, so they may be repeated at any time.
 */
export class DockerPodNetwork implements PodNetwork {
  readonly #options: DockerPodNetworkOptions;
  #podCIDR: string | undefined;
  #pool: AddressPool | undefined;
  /** Told before the pod CIDR was known. */
  readonly #adoptedEarly = new Map<string, string>();

  constructor(options: DockerPodNetworkOptions) {
    this.#options = options;
    if (!parseCIDR(options.clusterCIDR))
      throw new Error(
        `--cluster-cidr: Invalid value: ${JSON.stringify(options.clusterCIDR)}: must be an IPv4 CIDR`,
      );
  }

  get networkName(): string {
    return this.#options.clusterName;
  }

  get gateway(): string {
    return addressAt(parseCIDR(this.#ensured())!, gatewayIndex);
  }

  async ensurePodNetwork(podCIDR: string): Promise<void> {
    await this.#ensureBridge(podCIDR);
    await enableForwarding();
    await this.#ensureFirewall(podCIDR);
    if (podCIDR === this.#podCIDR) return;
    const cidr = parseCIDR(podCIDR)!;
    this.#pool = this.#pool?.moveTo(cidr) ?? new AddressPool(cidr);
    for (const [uid, ip] of this.#adoptedEarly) this.#pool.adopt(uid, ip);
    this.#adoptedEarly.clear();
    this.#podCIDR = podCIDR;
  }

  /**
   * Makes the routes to the pods of all other nodes, and removes those to nodes that are gone.
   * @returns what failed, one error a route, for others must not wait for a node that is out of reach.
   */
  async ensureRoutes(nodes: readonly Node[]): Promise<Error[]> {
    return this.#applyRoutes(planRoutes(desiredRoutes(nodes, this.#options.nodeName), await this.#routes()));
  }

  allocate(uid: string): string {
    this.#ensured();
    return this.#pool!.allocate(uid);
  }

  adopt(uid: string, ip: string): void {
    if (this.#pool) this.#pool.adopt(uid, ip);
    else this.#adoptedEarly.set(uid, ip);
  }

  release(uid: string): void {
    this.#adoptedEarly.delete(uid);
    this.#pool?.release(uid);
  }

  /**
   * Takes away everything of this cluster name that `ensurePodNetwork` and `ensureRoutes` made.
   * @throws {Error} if the network still has containers; the rest is gone then.
   */
  async cleanup(): Promise<void> {
    const [failed] = await this.#applyRoutes(planRoutes([], await this.#routes()));
    const plan = planFirewallRemoval(await runCommand('iptables-save', []), this.#options.clusterName);
    if (plan) await this.#restore(plan);
    const network = await this.#inspect();
    if (network?.Labels?.[labels.cluster] === this.#options.clusterName) await this.#remove(network.Id);
    if (failed) throw failed;
  }

  #ensured(): string {
    if (this.#podCIDR === undefined)
      throw new Error('the node has no pod network yet: no podCIDR is assigned to it');
    return this.#podCIDR;
  }

  async #inspect(): Promise<NetworkInspectInfo | undefined> {
    try {
      return await this.#options.docker.getNetwork(this.#options.clusterName).inspect();
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  async #remove(id: string): Promise<void> {
    try {
      await this.#options.docker.getNetwork(id).remove();
    } catch (error) {
      if (!hasStatus(error, 404)) throw error;
    }
  }

  async #ensureBridge(podCIDR: string): Promise<void> {
    const { docker, clusterName, nodeName, bridge, nodeIP } = this.#options;
    const [{ ApiVersion }, mtu, observed] = await Promise.all([
      docker.version(),
      mtuOf(nodeIP),
      this.#inspect(),
    ]);
    const config = { clusterName, nodeName, bridge, podCIDR, mtu, apiVersion: ApiVersion };
    for (const action of planBridgeNetwork(config, observed)) {
      if (action.type === 'remove') await this.#remove(action.id);
      else await docker.createNetwork(action.options);
    }
  }

  async #ensureFirewall(podCIDR: string): Promise<void> {
    const plan = planFirewall(await runCommand('iptables-save', []), { ...this.#options, podCIDR });
    if (plan) await this.#restore(plan);
  }

  async #restore(plan: string): Promise<void> {
    await runCommand('iptables-restore', ['--noflush', '-w', '5'], plan);
  }

  async #routes() {
    const json = await runCommand('ip', ['-json', '-4', 'route', 'show', 'proto', routeProtocol]);
    return parseRoutes(json, parseCIDR(this.#options.clusterCIDR)!);
  }

  async #applyRoutes(actions: readonly RouteAction[]): Promise<Error[]> {
    const failures: Error[] = [];
    for (const { type, route } of actions) {
      const { destination, via } = route;
      const args =
        type === 'delete'
          ? ['-4', 'route', 'del', destination, 'proto', routeProtocol]
          : ['-4', 'route', 'replace', destination, 'via', via, 'proto', routeProtocol];
      try {
        await runCommand('ip', args);
      } catch (error) {
        failures.push(error as Error);
      }
    }
    return failures;
  }
}
