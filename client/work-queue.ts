import type { Log } from './log.ts';

export interface RateLimit {
  /** Wait before the first retry, in milliseconds; each further failure doubles it. */
  base: number;
  longest: number;
}

const defaultRateLimit: RateLimit = { base: 5, longest: 1_000_000 };

/**
 * The keys that wait to be worked on.
 *
 * Invariant: a key is handed to at most one worker at a time. A key added while it is worked on is handed out
 * again after `done`; adding a waiting key again changes nothing. Semantics as client-go's workqueue.
 */
export class WorkQueue {
  readonly #rateLimit: RateLimit;
  readonly #waiting = new Set<string>();
  readonly #working = new Set<string>();
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Map<string, { timer: NodeJS.Timeout; at: number }>();
  readonly #idle: ((key: string | undefined) => void)[] = [];
  #shutDown = false;

  constructor(options: { rateLimit?: RateLimit } = {}) {
    this.#rateLimit = options.rateLimit ?? defaultRateLimit;
  }

  /** Keys ready to be handed out. */
  get length(): number {
    return this.#waiting.size;
  }

  add(key: string): void {
    if (this.#shutDown) return;
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    const worker = this.#waiting.has(key) ? undefined : this.#idle.shift();
    if (worker) {
      this.#working.add(key);
      worker(key);
    } else this.#waiting.add(key);
  }

  /** Adds the key after a wait. If it already waits for a time, the earlier of the two counts. */
  addAfter(key: string, milliseconds: number): void {
    if (this.#shutDown) return;
    if (milliseconds <= 0) {
      this.add(key);
      return;
    }
    const at = performance.now() + milliseconds;
    const before = this.#timers.get(key);
    if (before && before.at <= at) return;
    if (before) clearTimeout(before.timer);
    const fire = () => {
      const left = at - performance.now();
      // Timers hold 31 bits of milliseconds; longer waits are taken in pieces.
      if (left > 1) {
        this.#timers.set(key, { timer: setTimeout(fire, Math.min(left, 0x7fffffff)), at });
        return;
      }
      this.#timers.delete(key);
      this.add(key);
    };
    this.#timers.set(key, { timer: setTimeout(fire, Math.min(milliseconds, 0x7fffffff)), at });
  }

  /** Adds the key after a wait that doubles with each call until `forget`. */
  addRateLimited(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, Math.min(this.#rateLimit.base * 2 ** failures, this.#rateLimit.longest));
  }

  /** How many times the key was rate-limited since it was last forgotten. */
  requeues(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, or undefined once the queue is shut down and empty. Call `done` with it afterwards. */
  get(): Promise<string | undefined> {
    for (const key of this.#waiting) {
      this.#waiting.delete(key);
      this.#working.add(key);
      return Promise.resolve(key);
    }
    if (this.#shutDown) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  done(key: string): void {
    this.#working.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  shutDown(): void {
    this.#shutDown = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#again.clear();
    for (const worker of this.#idle.splice(0)) worker(undefined);
  }
}

/**
 * Works on the queue with `count` workers until it is shut down. A `sync` that throws is tried again with
 * back-off; one that returns clears the key's back-off.
 */
export async function runWorkers(options: {
  queue: WorkQueue;
  count: number;
  sync: (key: string) => Promise<void>;
  log: Log;
}): Promise<void> {
  const { queue, sync, log } = options;
  const worker = async () => {
    for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
      try {
        await sync(key);
        queue.forget(key);
      } catch (error) {
        log.warn(
          { key, err: (error as Error).message, requeues: queue.requeues(key) },
          'sync failed, trying again',
        );
        queue.addRateLimited(key);
      } finally {
        queue.done(key);
      }
    }
  };
  await Promise.all(Array.from({ length: options.count }, worker));
}
