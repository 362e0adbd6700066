import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import type { RegistryCredentials } from './credentials.ts';
import { engineMessage } from './docker-errors.ts';
import { jsonLines } from './json-lines.ts';

interface Pull {
  waiters: number;
  abort: AbortController;
  done: Promise<PullTimes>;
}

/** Milliseconds: of the pull itself, and with the time in the queue before it. */
export interface PullTimes {
  pullMs: number;
  totalMs: number;
}

const progressDeadlineMs = 60_000;

/**
 * Pulls images. Invariants: one pull of the same image with the same credentials at a time, shared by all who
 * ask; at most `parallel` pulls together, the rest wait in order. A pull that nobody waits for any more stops.
 */
export class ImagePuller {
  readonly #docker: Docker;
  readonly #parallel: number;
  readonly #pulls = new Map<string, Pull>();
  readonly #queue: (() => void)[] = [];
  #active = 0;

  constructor({ docker, parallel = 3 }: { docker: Docker; parallel?: number }) {
    this.#docker = docker;
    this.#parallel = parallel;
  }

  /**
   * Resolves when the engine has the image.
   * @throws {Error} with the engine's or registry's message; the signal's reason once it aborts.
   */
  async pull(
    name: string,
    credentials: RegistryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<PullTimes> {
    signal.throwIfAborted();
    const key = JSON.stringify([name, credentials]);
    let pull = this.#pulls.get(key);
    if (!pull) {
      const abort = new AbortController();
      const done = this.#run(name, credentials, abort.signal).finally(() => this.#pulls.delete(key));
      pull = { waiters: 0, abort, done };
      this.#pulls.set(key, pull);
    }
    pull.waiters++;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([pull.done, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      if (--pull.waiters === 0) {
        pull.abort.abort(new Error(`pulling ${name}: nobody waits for it any more`));
        if (this.#pulls.get(key) === pull) this.#pulls.delete(key);
        pull.done.catch(() => undefined);
      }
    }
  }

  async #run(
    name: string,
    authconfig: RegistryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<PullTimes> {
    const asked = performance.now();
    if (this.#active >= this.#parallel) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#active++;
    try {
      signal.throwIfAborted();
      const started = performance.now();
      await this.#transfer(name, authconfig, signal);
      const ended = performance.now();
      return { pullMs: ended - started, totalMs: ended - asked };
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#active--;
    }
  }

  async #transfer(
    name: string,
    authconfig: RegistryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const stalled = new AbortController();
    const stop = () =>
      stalled.abort(new Error(`no progress in pulling ${name} for ${progressDeadlineMs / 1000}s`));
    const timer = setTimeout(stop, progressDeadlineMs);
    const abortSignal = AbortSignal.any([signal, stalled.signal]);
    try {
      const progress = (await this.#docker.createImage({
        fromImage: name,
        ...(authconfig && { authconfig }),
        abortSignal,
      })) as Readable;
      for await (const line of jsonLines(progress)) {
        timer.refresh();
        const { error } = line as { error?: string };
        if (error) throw new Error(error);
      }
    } catch (error) {
      abortSignal.throwIfAborted();
      throw new Error(engineMessage(error));
    } finally {
      clearTimeout(timer);
    }
  }
}
