import { keyOf } from '../../api/object.ts';
import { jobs } from '../../api/resources.ts';
import type { Job } from '../../api/types/batch-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { Informer } from '../../client/informer.ts';
import { isNotFound } from '../../client/status-error.ts';
import { type ControllerContext, type ControllerDeclaration, QueueController } from '../common/context.ts';
import { timeToLive } from './plan.ts';

/** Deletes finished jobs when their time is over. */
class TtlAfterFinishedController extends QueueController {
  readonly #client: ApiClient;
  readonly #now: () => number;
  readonly #jobs: Informer<Job>;

  constructor(context: ControllerContext) {
    super({ sync: (key) => this.#sync(key), log: context.log });
    this.#client = context.client;
    this.#now = context.now;
    this.#jobs = context.informers.informer(jobs);
    const follow = (job: Job) => {
      if (timeToLive(job, this.#now()) !== undefined) this.queue.add(keyOf(job));
    };
    this.#jobs.on({ add: follow, update: follow });
  }

  async #sync(key: string): Promise<void> {
    const job = this.#jobs.get(key);
    const left = job && timeToLive(job, this.#now());
    if (left === undefined) return;
    if (left > 0) {
      this.queue.addAfter(key, left);
      return;
    }
    const { name = '', namespace } = job?.metadata ?? {};
    try {
      // Live: the time to live may have been prolonged a moment ago.
      const live = await this.#client.get(jobs, { name, namespace });
      if (live.metadata?.uid !== job?.metadata?.uid || timeToLive(live, this.#now()) !== 0) return;
      const { uid, resourceVersion } = live.metadata ?? {};
      await this.#client.delete(
        jobs,
        { name, namespace },
        { propagationPolicy: 'Foreground', preconditions: { uid, resourceVersion } },
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

export const ttlAfterFinishedController: ControllerDeclaration = {
  name: 'ttl-after-finished-controller',
  aliases: ['ttl-after-finished'],
  setUp: (context) => new TtlAfterFinishedController(context),
};
