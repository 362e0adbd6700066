const initialMs = 10_000;
const maximumMs = 300_000;

/**
 * When a failed pull may be tried again: 10 s after the first failure, doubling to 5 minutes; forgotten after
 * twice that without a failure. Keys are any text; times are milliseconds since the epoch.
 */
export class PullBackoff {
  readonly #entries = new Map<string, { delay: number; failedAt: number; error: string }>();

  /** When `key` may be tried again and why it failed last; undefined if it may be tried now. */
  waiting(key: string, now: number): { retryAt: number; error: string } | undefined {
    const entry = this.#entries.get(key);
    if (!entry || now >= entry.failedAt + entry.delay) return undefined;
    return { retryAt: entry.failedAt + entry.delay, error: entry.error };
  }

  failed(key: string, error: string, now: number): void {
    for (const [other, { failedAt }] of this.#entries)
      if (now - failedAt > 2 * maximumMs) this.#entries.delete(other);
    const before = this.#entries.get(key);
    const delay = before ? Math.min(before.delay * 2, maximumMs) : initialMs;
    this.#entries.set(key, { delay, failedAt: now, error });
  }

  succeeded(key: string): void {
    this.#entries.delete(key);
  }
}
