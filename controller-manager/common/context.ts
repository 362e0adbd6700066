import type { ApiClient } from '../../client/api-client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { InformerFactory } from '../../client/informer-factory.ts';
import type { Log } from '../../client/log.ts';
import { isConflict, isNotFound } from '../../client/status-error.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import type { ControllerManagerFlags } from '../flags.ts';

/** What a controller is given to work with. */
export interface ControllerContext {
  client: ApiClient;
  informers: InformerFactory;
  /** Events as from this component, such as `replicaset-controller`. */
  events(component: string): EventRecorder;
  log: Log;
  /** Milliseconds since the epoch. */
  now(): number;
  flags: ControllerManagerFlags;
}

/** A controller after its handlers are registered with the informers. */
export interface Controller {
  /** Works until `signal` aborts; called once all informers have synced. */
  run(signal: AbortSignal): Promise<void>;
}

export interface ControllerDeclaration {
  /** As in Kubernetes' `--controllers`. */
  name: string;
  /** Short names that older manuals use. */
  aliases?: readonly string[];
  /** Asks the factory for informers and registers handlers; returns undefined if the flags leave it nothing to do. */
  setUp(context: ControllerContext): Controller | undefined;
}

/** A refused object may be named by a message for each of its items: this much of it tells enough. */
const longestLogged = 1024;

/** Conflicts in a row after which it is not the informer's lag any more. */
const toleratedLags = 8;

/**
 * The common form of a controller: a work queue whose keys are synced by a few workers, each key by one at a
 * time. A sync that fails is tried again with back-off.
 */
export class QueueController implements Controller {
  readonly queue: WorkQueue;
  readonly #options: { sync: (key: string) => Promise<void>; workers?: number; log: Log };

  constructor(options: { sync: (key: string) => Promise<void>; workers?: number; log: Log }) {
    this.queue = new WorkQueue();
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.queue.shutDown();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    await Promise.all(Array.from({ length: this.#options.workers ?? 5 }, () => this.#work(signal)));
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { queue } = this;
    for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
      try {
        await this.#options.sync(key);
        queue.forget(key);
      } catch (error) {
        // What was under way when leadership ended is the next leader's.
        if (!signal.aborted) this.#retry(key, error as Error);
      } finally {
        queue.done(key);
      }
    }
  }

  #retry(key: string, error: Error): void {
    const fields = { key, err: error.message.slice(0, longestLogged), requeues: this.queue.requeues(key) };
    // The informer lags behind a write or a deletion: everyday, and soon over.
    const lagging = (isConflict(error) || isNotFound(error)) && this.queue.requeues(key) < toleratedLags;
    if (lagging) this.#options.log.debug(fields, 'acted on an old copy, trying again');
    else this.#options.log.warn(fields, 'sync failed, trying again');
    this.queue.addRateLimited(key);
  }
}
