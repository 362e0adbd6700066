import { Agent } from 'node:https';
import { nodes } from '../../api/resources.ts';
import type { Node } from '../../api/types/core-v1.ts';
import type { KindRegistry } from '../registry/kind-registry.ts';
import { ApiError, notFound } from '../rest/api-error.ts';
import type { Storage } from '../storage/storage.ts';

/** Where a kubelet listens. */
export interface KubeletAddress {
  host: string;
  port: number;
}

const defaultPort = 10250;

/** The kubelet's address from its Node, by the first of `preferred` types that it has; undefined if none. */
export function kubeletAddress(node: Node, preferred: readonly string[]): KubeletAddress | undefined {
  const port = node.status?.daemonEndpoints?.kubeletEndpoint?.Port || defaultPort;
  for (const type of preferred) {
    const host = node.status?.addresses?.find((address) => address.type === type)?.address;
    if (host) return { host, port };
  }
  return undefined;
}

/** Finds kubelets and holds the credentials to talk to them. */
export class Kubelets {
  readonly agent: Agent;
  readonly tls: {
    ca?: Buffer | undefined;
    cert?: Buffer | undefined;
    key?: Buffer | undefined;
    rejectUnauthorized: boolean;
  };
  readonly #storage: Storage;
  readonly #registry: KindRegistry;
  readonly #preferred: readonly string[];

  constructor(options: {
    storage: Storage;
    registry: KindRegistry;
    preferredAddressTypes: readonly string[];
    ca?: Buffer | undefined;
    cert?: Buffer | undefined;
    key?: Buffer | undefined;
  }) {
    this.#storage = options.storage;
    this.#registry = options.registry;
    this.#preferred = options.preferredAddressTypes;
    const { ca, cert, key } = options;
    // As kube-apiserver: without a CA the kubelets' certificates are not checked.
    this.tls = { ca, cert, key, rejectUnauthorized: !!ca };
    this.agent = new Agent({ ...this.tls, keepAlive: true, maxFreeSockets: 4, timeout: 30_000 });
  }

  /** @throws {ApiError} 404 for an unknown node, 503 for one without an address */
  async locate(nodeName: string): Promise<KubeletAddress> {
    const served = this.#registry.builtIn(nodes);
    const entry = served.cache.get(nodeName) ?? (await this.#storage.read(served.path, nodeName));
    if (!entry) throw notFound(nodes, nodeName);
    const address = kubeletAddress(entry.parse<Node>(), this.#preferred);
    if (!address)
      throw new ApiError({
        code: 503,
        reason: 'ServiceUnavailable',
        message: `no preferred addresses found; known addresses: []`,
      });
    return address;
  }

  close(): void {
    this.agent.destroy();
  }
}
