/** A process that ran this long before it ended was well: its next end counts as a first one. */
export const healthyMilliseconds = 10_000;

const first = 1_000;
const longest = 30_000;

/**
 * How long to wait before a process that ended is started again: not at all after a good run, then 1 s, 2 s,
 * 4 s … up to 30 s while it keeps ending early.
 * @param earlyEnds how many runs in a row, this one included, were shorter than `healthyMilliseconds`
 */
export function restartDelay(earlyEnds: number): number {
  return earlyEnds === 0 ? 0 : Math.min(longest, first * 2 ** (earlyEnds - 1));
}
