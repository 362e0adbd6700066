import { services } from '../../api/resources.ts';
import type { Service } from '../../api/types/core-v1.ts';
import type { KindRegistry } from '../registry/kind-registry.ts';
import type { Storage } from '../storage/storage.ts';
import type { Claims, Owner } from './claims.ts';
import type { ServiceAllocator } from './service-allocator.ts';
import { allocatedIP, allocatedPorts } from './service-fields.ts';

export interface ClaimSet {
  key: string;
  owner: Owner;
  created: number;
}

export interface RepairPlan {
  release: { key: string; owner: Owner }[];
  take: { key: string; owner: Owner }[];
}

/** A claim younger than this may belong to a Service that is being created right now; milliseconds. */
const grace = 60_000;

const same = (a: Owner, b: Owner): boolean => a.namespace === b.namespace && a.name === b.name;

/**
 * Compares the claims with what Services use: claims of nobody are given back (a server stopped between claiming
 * and storing), and missing ones are made.
 */
export function planRepair(
  claims: readonly ClaimSet[],
  used: ReadonlyMap<string, Owner>,
  now: number,
): RepairPlan {
  const release = claims.filter(({ key, owner, created }) => {
    const user = used.get(key);
    return !(user && same(user, owner)) && !(created > now - grace);
  });
  const held = new Set(claims.map((claim) => claim.key));
  const take = [...used].filter(([key]) => !held.has(key)).map(([key, owner]) => ({ key, owner }));
  return { release: release.map(({ key, owner }) => ({ key, owner })), take };
}

async function carryOut(claims: Claims, plan: RepairPlan): Promise<void> {
  for (const { key, owner } of plan.release) await claims.release(key, owner);
  for (const { key, owner } of plan.take) await claims.take(key, owner);
}

/** One round of repair on a consistent view of the store. */
export async function repairAllocations(
  storage: Storage,
  registry: KindRegistry,
  allocator: ServiceAllocator,
): Promise<void> {
  await storage.consistent();
  const ips = new Map<string, Owner>();
  const ports = new Map<string, Owner>();
  for (const entry of registry.builtIn(services).cache.list()) {
    const service = entry.parse<Service>();
    const owner = { namespace: service.metadata?.namespace ?? '', name: service.metadata?.name ?? '' };
    const ip = allocatedIP(service);
    if (ip) ips.set(ip, owner);
    for (const port of allocatedPorts(service)) ports.set(String(port), owner);
  }
  const now = Date.now();
  await carryOut(allocator.ips, planRepair(allocator.ips.all(), ips, now));
  await carryOut(allocator.ports, planRepair(allocator.ports.all(), ports, now));
}
