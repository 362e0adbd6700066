/** What became of a series of writes. */
export interface BatchResult {
  succeeded: number;
  /** Never tried, because one before it failed. */
  skipped: number;
  /** The first failure. */
  error: unknown;
}

/**
 * Runs `call` for 0 … count-1 in batches of 1, 2, 4, … at once, and stops after the first batch with a failure.
 * A quota that refuses the first creation so costs one request, not hundreds.
 */
export async function inGrowingBatches(
  count: number,
  call: (index: number) => Promise<void>,
): Promise<BatchResult> {
  let done = 0;
  let succeeded = 0;
  for (let size = 1; done < count; size *= 2) {
    const batch = Array.from({ length: Math.min(size, count - done) }, (_, i) => call(done + i));
    const results = await Promise.allSettled(batch);
    done += results.length;
    succeeded += results.filter((result) => result.status === 'fulfilled').length;
    const failure = results.find((result) => result.status === 'rejected');
    if (failure) return { succeeded, skipped: count - done, error: failure.reason };
  }
  return { succeeded, skipped: 0, error: undefined };
}

/** Runs `call` for every item, at most `atOnce` at a time, to the end; returns the failures. */
export async function forEachAtOnce<T>(
  items: readonly T[],
  atOnce: number,
  call: (item: T) => Promise<void>,
): Promise<unknown[]> {
  const failures: unknown[] = [];
  let next = 0;
  const worker = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++])
      await call(item).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return failures;
}
