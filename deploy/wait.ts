import { UserError } from './user-error.ts';

export interface WaitOptions {
  /** What is waited for, for the message of a failure. */
  what: string;
  milliseconds: number;
  /** Time between looks, for things that cannot be watched. */
  interval?: number;
}

/**
 * Looks again and again until `condition` gives no complaint.
 * @throws {UserError} at the deadline, with the last complaint
 */
export async function waitFor(
  condition: () => Promise<string | undefined>,
  options: WaitOptions,
): Promise<void> {
  const deadline = Date.now() + options.milliseconds;
  for (;;) {
    const complaint = await condition();
    if (complaint === undefined) return;
    if (Date.now() >= deadline)
      throw new UserError(`${options.what} not within ${options.milliseconds / 1000} s: ${complaint}`);
    await new Promise((resolve) => setTimeout(resolve, options.interval ?? 50));
  }
}
