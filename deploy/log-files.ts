import { copyFileSync, openSync, renameSync, statSync, truncateSync } from 'node:fs';

/** A log is turned over at this size, bytes, and this many old ones are kept. */
export const logLimits = { bytes: 10 * 1024 * 1024, kept: 3 };

/** Opens a log for a process to write to. Appending keeps its place when the file is turned over. */
export function openLog(path: string): number {
  return openSync(path, 'a', 0o640);
}

/**
 * Turns a log over if it has grown past its limit. The writer holds the file open, so the content is copied
 * and the file emptied in place; a line written between the two is lost, as with logrotate's copytruncate.
 * @returns whether it was turned over
 */
export function rotateLog(path: string, limits = logLimits): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size < limits.bytes) return false;
  for (let i = limits.kept - 1; i >= 1; i--)
    if (statSync(`${path}.${i}`, { throwIfNoEntry: false })) renameSync(`${path}.${i}`, `${path}.${i + 1}`);
  copyFileSync(path, `${path}.1`);
  truncateSync(path, 0);
  return true;
}
