import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * The identity of a process in a leader election.
 *
 * A process that holds a port of its own gets the same identity when it is started again: no other process can
 * hold that port in the same network namespace of the same running kernel, so the lease is its own, and it leads
 * again at once instead of waiting for itself to run out. Call it only when the port is held; without a port the
 * identity is new each time.
 */
export function leaderIdentity(held: { address: string; port: number } | undefined): string {
  if (!held) return `${hostname()}_${randomUUID()}`;
  try {
    const place = [
      readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
      readlinkSync('/proc/self/ns/net'),
      held.address,
      held.port,
    ];
    return `${hostname()}_${createHash('sha256').update(place.join(' ')).digest('hex').slice(0, 32)}`;
  } catch {
    return `${hostname()}_${randomUUID()}`;
  }
}
