import { readFile } from 'node:fs/promises';

/**
 * Kills the process group that a process of this container leads; runc makes each command a session of its own.
 * Does nothing if the process is gone or, its number being used again or of another PID namespace, is not the
 * container's.
 */
export async function killProcessGroup(pid: number, containerID: string): Promise<void> {
  const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  if (!cgroup.includes(containerID)) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
