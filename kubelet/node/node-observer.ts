import type { NodeStatus } from '../../api/types/core-v1.ts';
import type { ContainerRuntime, ImageManager } from '../runtime/types.ts';
import { type NodeCapacity, readHeadroom, readSystemInfo } from './node-facts.ts';
import { buildNodeStatus, pressureOf, type SystemReserved } from './node-status.ts';

export interface NodeObserverOptions {
  runtime: Pick<ContainerRuntime, 'version'>;
  images: Pick<ImageManager, 'listImages'>;
  rootDirectory: string;
  nodeName: string;
  nodeIP: string;
  port: number;
  capacity: NodeCapacity;
  reserved: SystemReserved;
  /** Why pods cannot have a network; undefined: they can. */
  networkProblem(): string | undefined;
  /** Memory is short: only so many bytes are left. */
  memoryShort(availableBytes: number): void;
}

/** Milliseconds for which the list of images is taken as it was. */
const imagesKeptFor = 60_000;

/** Looks at the machine, the engine and the network, and builds the node's status from what it sees. */
export class NodeObserver {
  readonly #options: NodeObserverOptions;
  #images: { at: number; list: { names: string[]; sizeBytes: number }[] } = { at: 0, list: [] };
  #engineVersion = '';

  constructor(options: NodeObserverOptions) {
    this.#options = options;
  }

  /** The status now, given the one that the API has. */
  async status(old: NodeStatus | undefined): Promise<NodeStatus> {
    const { rootDirectory, nodeName, nodeIP, port, capacity, reserved } = this.#options;
    const engineProblem = await this.#lookAtEngine();
    const networkProblem = this.#options.networkProblem();
    const headroom = await readHeadroom(rootDirectory);
    const pressure = pressureOf(headroom);
    if (pressure.memory) this.#options.memoryShort(headroom.memoryAvailableBytes);
    return buildNodeStatus({
      old,
      nodeIP,
      hostname: nodeName,
      port,
      capacity,
      reserved,
      systemInfo: await readSystemInfo(this.#engineVersion),
      images: this.#images.list,
      pressure,
      problems: [
        ...(engineProblem ? [`[container runtime is down: ${engineProblem}]`] : []),
        ...(networkProblem ? [networkProblem] : []),
      ],
      now: `${new Date().toISOString().slice(0, 19)}Z`,
    });
  }

  async #lookAtEngine(): Promise<string | undefined> {
    const { runtime, images } = this.#options;
    try {
      this.#engineVersion = (await runtime.version()).version;
      const at = Date.now();
      if (at - this.#images.at > imagesKeptFor) this.#images = { at, list: await images.listImages() };
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }
}
