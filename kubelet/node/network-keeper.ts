import type { Node } from '../../api/types/core-v1.ts';
import type { Informer } from '../../client/informer.ts';
import type { Log } from '../../client/log.ts';

export interface NetworkKeeperOptions {
  network: {
    ensurePodNetwork(podCIDR: string): Promise<void>;
    ensureRoutes(nodes: readonly Node[]): Promise<Error[]>;
  };
  nodeName: string;
  /** All nodes of the cluster. */
  nodes: Pick<Informer<Node>, 'get' | 'list'>;
  log: Log;
  /** The network came up, or went down. */
  changed(): Promise<void>;
}

/** Milliseconds between repairs of the pod network, whose rules others may have flushed. */
const checkEvery = 60_000;

const routing = ({ spec, status }: Node): string => JSON.stringify([spec?.podCIDR, status?.addresses]);

/** Keeps the pod network as the nodes' objects say. One repair at a time; each looks at everything anew. */
export class NetworkKeeper {
  readonly #options: NetworkKeeperOptions;
  #problem: string | undefined = 'no podCIDR is assigned to the node yet';
  #ensuring: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: NetworkKeeperOptions) {
    this.#options = options;
  }

  /** Why pods cannot have a network, in the kubelet's words; undefined: they can. */
  get problem(): string | undefined {
    return this.#problem === undefined
      ? undefined
      : `container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:${this.#problem}`;
  }

  /** Repairs now and from time to time until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    await this.ensure();
    if (signal.aborted) return;
    this.#timer = setInterval(() => void this.ensure(), checkEvery);
    signal.addEventListener('abort', () => clearInterval(this.#timer), { once: true });
  }

  /** A node is new or has changed. */
  nodeChanged(node: Node, old?: Node): void {
    if (!old || routing(old) !== routing(node)) void this.ensure();
  }

  ensure(): Promise<void> {
    if (this.#ensuring) this.#again = true;
    this.#ensuring ??= this.#ensureOnce().finally(() => {
      this.#ensuring = undefined;
      if (!this.#again) return;
      this.#again = false;
      void this.ensure();
    });
    return this.#ensuring;
  }

  async #ensureOnce(): Promise<void> {
    const { network, nodes, nodeName, log, changed } = this.#options;
    const podCIDR = nodes.get(nodeName)?.spec?.podCIDR;
    if (!podCIDR) return;
    const before = this.#problem;
    try {
      await network.ensurePodNetwork(podCIDR);
      this.#problem = undefined;
      for (const error of await network.ensureRoutes(nodes.list()))
        log.warn({ err: error.message }, 'route to another node not made');
    } catch (error) {
      this.#problem = (error as Error).message;
      log.warn({ err: this.#problem }, 'pod network not ready');
    }
    if (before !== this.#problem) await changed();
  }
}
