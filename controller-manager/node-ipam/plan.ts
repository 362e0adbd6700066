import { type CIDR, cidrContains, formatCIDR, parseCIDR, sizeOfCIDR, subnetAt } from '../../api/net.ts';

/** Whether two networks share an address. */
export const overlap = (a: CIDR, b: CIDR): boolean => cidrContains(a, b.first) || cidrContains(b, a.first);

export interface CidrPool {
  cluster: CIDR;
  /** Prefix length of a node's part. */
  nodePrefix: number;
  /** Never handed out: the services' range, if it lies in the cluster's. */
  reserved?: CIDR | undefined;
}

/**
 * The first part of the cluster's range that overlaps with none of `used`; undefined when the range is full.
 * Malformed entries of `used` are ignored.
 */
export function planNodeCIDR(pool: CidrPool, used: Iterable<string>): string | undefined {
  const taken = new Set<number>();
  const size = 2 ** (32 - pool.nodePrefix);
  const blocked = [...used].map(parseCIDR).filter((cidr): cidr is CIDR => cidr !== undefined);
  if (pool.reserved) blocked.push(pool.reserved);
  for (const cidr of blocked) {
    if (!overlap(pool.cluster, cidr)) continue;
    const first = Math.max(cidr.first, pool.cluster.first);
    const end = Math.min(cidr.first + sizeOfCIDR(cidr), pool.cluster.first + sizeOfCIDR(pool.cluster));
    for (let part = Math.floor((first - pool.cluster.first) / size); ; part++) {
      if (pool.cluster.first + part * size >= end) break;
      taken.add(part);
    }
  }
  for (let part = 0; ; part++) {
    if (taken.has(part)) continue;
    const cidr = subnetAt(pool.cluster, pool.nodePrefix, part);
    return cidr && formatCIDR(cidr);
  }
}
