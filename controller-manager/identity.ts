import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * The name under which this process stands for election. No two running processes share it, yet a process that
 * was killed and comes back on the same port has its old name and need not wait for its own Lease to run out:
 * the kernel gives a port of a network namespace to one process only. Call it after the port is bound.
 */
export function electionIdentity(port: number): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const network = readlinkSync('/proc/self/ns/net');
    const id = createHash('sha256').update(`${boot} ${network} ${port}`).digest('hex').slice(0, 16);
    return `${hostname()}_${id}`;
  } catch {
    // Not Linux, or /proc is hidden: a name of its own for every start.
    return `${hostname()}_${randomUUID()}`;
  }
}
