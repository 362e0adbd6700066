import { type CIDR, cidrContains, formatCIDR, parseCIDR } from '../../api/net.ts';
import type { Node } from '../../api/types/core-v1.ts';

/** A route to another node's pods. */
export interface PodRoute {
  /** The node's pod CIDR. */
  destination: string;
  /** The node's address, on a network that this node shares. */
  via: string;
}

/** Marks our routes for `ip route … proto`; the number is in no registry of iproute2. */
export const routeProtocol = '178';

/** The routes that this node needs: one for each pod CIDR of every other node that has an address. */
export function desiredRoutes(nodes: readonly Node[], ownName: string): PodRoute[] {
  return nodes.flatMap((node) => {
    if (node.metadata?.name === ownName || node.metadata?.deletionTimestamp) return [];
    const via = node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
    const cidrs = node.spec?.podCIDRs?.length ? node.spec.podCIDRs : [node.spec?.podCIDR];
    return cidrs.flatMap((text) => {
      const cidr = text ? parseCIDR(text) : undefined;
      return via && cidr ? [{ destination: formatCIDR(cidr), via }] : [];
    });
  });
}

/** Reads `ip -json route show proto …`, keeping what lies in this cluster's CIDR. */
export function parseRoutes(json: string, clusterCIDR: CIDR): PodRoute[] {
  const routes = JSON.parse(json || '[]') as { dst?: string; gateway?: string }[];
  return routes.flatMap(({ dst, gateway }) => {
    const destination = dst?.includes('/') ? dst : `${dst}/32`;
    const inside = cidrContains(clusterCIDR, destination.split('/')[0]!);
    return inside ? [{ destination, via: gateway ?? '' }] : [];
  });
}

export type RouteAction = { type: 'replace'; route: PodRoute } | { type: 'delete'; route: PodRoute };

/** What turns the observed routes into the desired ones. */
export function planRoutes(desired: readonly PodRoute[], observed: readonly PodRoute[]): RouteAction[] {
  const wanted = new Map(desired.map((route) => [route.destination, route]));
  const present = new Map(observed.map((route) => [route.destination, route]));
  const stale = observed.filter(({ destination }) => !wanted.has(destination));
  const missing = [...wanted.values()].filter(
    ({ destination, via }) => present.get(destination)?.via !== via,
  );
  return [
    ...stale.map((route) => ({ type: 'delete' as const, route })),
    ...missing.map((route) => ({ type: 'replace' as const, route })),
  ];
}
