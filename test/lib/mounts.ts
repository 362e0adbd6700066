import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';

/**
 * Runs a program of the system to its end.
 * @throws {Error} with what it printed when it fails.
 */
export function runSystem(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Mounts a small file system in memory, which loses all when it is unmounted. Makes the directory. */
export function mountMemory(directory: string, size: string): void {
  mkdirSync(directory, { recursive: true });
  runSystem('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory]);
}

/** Changes the options of what is mounted, `ro` for example. */
export function remount(directory: string, options: string): void {
  runSystem('mount', ['-o', `remount,${options}`, directory]);
}

/** Unmounts at once, or as soon as the last user is gone; nothing happens when nothing is mounted. */
export function unmount(directory: string): void {
  if (!isMounted(directory)) return;
  try {
    runSystem('umount', [directory]);
  } catch {
    runSystem('umount', ['--lazy', directory]);
  }
}

/** Whether a file system is mounted exactly there. */
export function isMounted(directory: string): boolean {
  const lines = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return lines.some((line) => line.split(' ')[1] === directory);
}
