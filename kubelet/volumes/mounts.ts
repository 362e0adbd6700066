import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { VolumeError } from './volume-error.ts';

const run = promisify(execFile);

/** Mount points at or below a path, deepest first. */
export async function mountsBelow(path: string): Promise<string[]> {
  const table = await readFile('/proc/self/mounts', 'utf8');
  return table
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .map((target) =>
      target.replace(/\\([0-7]{3})/g, (_all, digits) => String.fromCharCode(Number.parseInt(digits, 8))),
    )
    .filter((target) => target === path || target.startsWith(`${path}/`))
    .sort((a, b) => b.length - a.length);
}

/**
 * Mounts a memory file system there, once. `sizeBytes` 0: half of the node's memory, the kernel's default.
 * @throws {VolumeError} with mount's own words
 */
export async function mountMemory(path: string, sizeBytes: number): Promise<void> {
  if ((await mountsBelow(path)).includes(path)) return;
  const options = sizeBytes > 0 ? ['-o', `size=${sizeBytes}`] : [];
  try {
    await run('mount', ['-t', 'tmpfs', ...options, 'tmpfs', path]);
  } catch (error) {
    throw new VolumeError(`mount failed: ${(error as Error).message}`);
  }
}

/** Unmounts everything at or below a path. */
export async function unmountBelow(path: string): Promise<void> {
  for (const target of await mountsBelow(path)) await run('umount', ['-l', target]);
}
