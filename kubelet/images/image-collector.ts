import { readFile, rename, statfs, writeFile } from 'node:fs/promises';
import type Docker from 'dockerode';
import { hasStatus } from './docker-errors.ts';
import { type KnownImage, planCollection, type Thresholds } from './plan-collection.ts';

export interface ImageCollectorOptions {
  docker: Docker;
  /** Where the images that this kubelet pulled are remembered. */
  recordFile: string;
  /** Milliseconds since the epoch. */
  now(): number;
  thresholds?: Thresholds;
  /** Capacity and free bytes of the disk with the images; default: asked of the file system. */
  disk?(): Promise<{ capacityBytes: number; availableBytes: number }>;
}

/** Image IDs to the time of their last use. */
type Records = Map<string, number>;

async function readRecords(file: string): Promise<Records> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return new Map(Object.entries(value ?? {}).filter(([, time]) => typeof time === 'number'));
  } catch {
    // Missing, or cut off by a crash: what is not known is not removed.
    return new Map();
  }
}

/**
 * Removes images when the disk fills up. The engine may be shared with its owner's other work, so only images
 * that this kubelet pulled itself are ever removed, and only while no container has them.
 */
export class ImageCollector {
  readonly #options: ImageCollectorOptions;
  #records: Promise<Records> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: ImageCollectorOptions) {
    this.#options = options;
  }

  /** Remembers an image that was pulled. */
  async pulled(id: string): Promise<void> {
    (await this.#load()).set(id, this.#options.now());
    await this.#save();
  }

  /**
   * Looks at the disk once. @returns what to tell the node's owner when not enough could be freed
   * @throws {Error} if the engine does not answer
   */
  async collect(): Promise<{ removed: string[]; problem?: string }> {
    const { docker, now, thresholds } = this.#options;
    const records = await this.#load();
    const images = await this.#observe(records);
    const disk = await this.#disk();
    const plan = planCollection({ ...disk, images, now: now(), thresholds });
    const removed: string[] = [];
    for (const id of plan.remove) {
      try {
        await docker.getImage(id).remove({ force: true });
        removed.push(id);
      } catch (error) {
        // A container of it was made meanwhile, or it is gone: either way it is no longer ours to remove.
        if (!hasStatus(error, 409) && !hasStatus(error, 404)) throw error;
      }
      records.delete(id);
    }
    await this.#save();
    const enough = plan.foundBytes >= plan.wantedBytes;
    const problem = `Failed to garbage collect required amount of images. Attempted to free ${plan.wantedBytes} bytes, but only found ${plan.foundBytes} bytes eligible to free.`;
    return { removed, ...(!enough && { problem }) };
  }

  /** What is there of what we pulled; forgets what is gone, and notes what is in use. */
  async #observe(records: Records): Promise<KnownImage[]> {
    const { docker, now } = this.#options;
    const [images, containers] = await Promise.all([
      docker.listImages(),
      docker.listContainers({ all: true }),
    ]);
    const used = new Set(containers.map(({ ImageID }) => ImageID));
    const present = new Map(images.map(({ Id, Size }) => [Id, Size]));
    for (const id of records.keys()) {
      if (!present.has(id)) records.delete(id);
      else if (used.has(id)) records.set(id, now());
    }
    return [...records].map(([id, lastUsed]) => ({
      id,
      lastUsed,
      sizeBytes: present.get(id) ?? 0,
      inUse: used.has(id),
    }));
  }

  async #disk(): Promise<{ capacityBytes: number; availableBytes: number }> {
    if (this.#options.disk) return this.#options.disk();
    const { DockerRootDir } = (await this.#options.docker.info()) as { DockerRootDir: string };
    const { bavail, blocks, bsize } = await statfs(DockerRootDir);
    return { capacityBytes: blocks * bsize, availableBytes: bavail * bsize };
  }

  #load(): Promise<Records> {
    this.#records ??= readRecords(this.#options.recordFile);
    return this.#records;
  }

  #save(): Promise<void> {
    const { recordFile } = this.#options;
    this.#writing = this.#writing
      .catch(() => undefined)
      .then(async () => {
        const records = await this.#load();
        await writeFile(`${recordFile}.new`, JSON.stringify(Object.fromEntries(records)), { mode: 0o600 });
        await rename(`${recordFile}.new`, recordFile);
      });
    return this.#writing;
  }
}
