import { tooManyRequests } from './api-error.ts';
import type { RequestInfo } from './request-info.ts';

const reading = new Set(['get', 'list', 'watch', 'head', 'options']);
/** Requests that last as long as the client likes are not counted. */
const long = (info: RequestInfo): boolean =>
  info.verb === 'watch' || (info.subresource === 'log' && info.query.get('follow') === 'true');

/**
 * How many requests are answered at once; beyond that clients are asked to come again.
 * https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
 */
export class InFlightLimits {
  readonly #limits: { reading: number; writing: number };
  readonly #rejected: () => void;
  #reading = 0;
  #writing = 0;

  /** Zero is no limit. `rejected` is called for each request that is sent away. */
  constructor(limits: { reading: number; writing: number }, rejected: () => void) {
    this.#limits = limits;
    this.#rejected = rejected;
  }

  get current(): number {
    return this.#reading + this.#writing;
  }

  /** Takes a place until the returned function is called. @throws {ApiError} 429 */
  enter(info: RequestInfo): () => void {
    if (long(info)) return () => {};
    const reads = reading.has(info.verb);
    const [now, limit] = reads
      ? [this.#reading, this.#limits.reading]
      : [this.#writing, this.#limits.writing];
    if (limit > 0 && now >= limit) {
      this.#rejected();
      throw tooManyRequests('too many requests, please try again later.', 1);
    }
    if (reads) this.#reading++;
    else this.#writing++;
    return () => {
      if (reads) this.#reading--;
      else this.#writing--;
    };
  }
}
