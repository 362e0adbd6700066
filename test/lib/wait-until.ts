import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits for a condition; a condition that throws is not met yet.
 * @throws after `seconds`, with what was waited for and the last error.
 */
export async function waitUntil<T>(
  what: string,
  condition: () => Promise<T> | T,
  options: { seconds?: number; intervalMilliseconds?: number } = {},
): Promise<NonNullable<T>> {
  const { seconds = 120, intervalMilliseconds = 50 } = options;
  const deadline = performance.now() + seconds * 1000;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline)
      throw new Error(`waited ${seconds} s in vain: ${what}${last ? ` (${(last as Error).message})` : ''}`);
    await delay(intervalMilliseconds);
  }
}
