import { networkInterfaces } from 'node:os';
import { type CIDR, cidrContains } from '../api/net.ts';

/** The machine's IPv4 addresses, loopback included, sorted. */
export function localAddresses(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return [...new Set(addresses.filter((item) => item.family === 'IPv4').map((item) => item.address))].sort();
}

/**
 * Tells clients inside the cluster from those outside: pods, services and the node itself are inside.
 * The node's addresses are read again at most every `refresh` milliseconds.
 */
export function insideOf(cidrs: readonly CIDR[], refresh = 10_000): (client: string) => boolean {
  let local = new Set<string>();
  let readAt = Number.NEGATIVE_INFINITY;
  return (client) => {
    if (client.startsWith('127.') || cidrs.some((cidr) => cidrContains(cidr, client))) return true;
    const now = performance.now();
    if (now - readAt > refresh) {
      local = new Set(localAddresses());
      readAt = now;
    }
    return local.has(client);
  };
}
