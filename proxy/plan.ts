import { keyOf } from '../api/object.ts';
import type { Service, ServicePort } from '../api/types/core-v1.ts';
import type { EndpointSlice, Endpoint as SliceEndpoint } from '../api/types/discovery-v1.ts';

/** One address and port that traffic can be sent to. */
export interface Endpoint {
  /** `ip:port`. */
  readonly key: string;
  readonly ip: string;
  readonly port: number;
}

/**
 * Which endpoints a frontend uses: `all`, those on this `node`, or `client`: all for clients inside the
 * cluster and those on this node for clients outside (`externalTrafficPolicy: Local`).
 */
export type Scope = 'all' | 'node' | 'client';

/** An address and port to listen on. */
export interface Frontend {
  /** `TCP 10.96.0.1:443`; an empty address means the node's own addresses. */
  readonly key: string;
  readonly protocol: 'TCP' | 'UDP';
  readonly address: string;
  readonly port: number;
  readonly scope: Scope;
  /** The address is the Service's alone: if its port is taken on the node, traffic may be led to another. */
  readonly divertible: boolean;
}

/** What one port of a Service asks of this node. */
export interface PortPlan {
  /** `namespace/name:port name/protocol`. */
  readonly id: string;
  readonly service: string;
  readonly all: readonly Endpoint[];
  readonly node: readonly Endpoint[];
  /** Seconds for which a client stays with its endpoint; absent without session affinity. */
  readonly affinitySeconds?: number;
  readonly frontends: readonly Frontend[];
}

/** What one Service asks of this node. */
export interface ServicePlan {
  readonly ports: readonly PortPlan[];
  /** The port to tell load balancers on whether this node has endpoints, with how many. */
  readonly healthCheck?: { readonly port: number; readonly localEndpoints: number };
}

export interface NodeFacts {
  nodeName: string;
  /** The node's zone (`topology.kubernetes.io/zone`), if it has one. */
  zone?: string;
  /** `ip:port` addresses that this process serves itself, such as cluster DNS. */
  reserved?: ReadonlySet<string>;
}

const nothing: ServicePlan = { ports: [] };
const defaultAffinitySeconds = 10_800;

interface Candidate extends Endpoint {
  readonly ready: boolean;
  readonly serving: boolean;
  readonly onNode: boolean;
  readonly forZones: readonly string[] | undefined;
}

function candidateOf(endpoint: SliceEndpoint, port: number, nodeName: string): Candidate | undefined {
  const ip = endpoint.addresses[0];
  if (!ip) return undefined;
  const { conditions } = endpoint;
  const zones = endpoint.hints?.forZones?.map((zone) => zone.name);
  return {
    key: `${ip}:${port}`,
    ip,
    port,
    // Absent conditions mean ready, as discovery.k8s.io/v1 says.
    ready: conditions?.ready ?? true,
    serving: conditions?.serving ?? conditions?.ready ?? true,
    onNode: endpoint.nodeName === nodeName,
    forZones: zones?.length ? zones : undefined,
  };
}

function candidatesOf(port: ServicePort, slices: readonly EndpointSlice[], nodeName: string): Candidate[] {
  const byKey = new Map<string, Candidate>();
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4') continue;
    const match = slice.ports?.find(
      (candidate) =>
        (candidate.name ?? '') === (port.name ?? '') &&
        (candidate.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
    if (!match?.port) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const candidate = candidateOf(endpoint, match.port, nodeName);
      if (!candidate) continue;
      const before = byKey.get(candidate.key);
      // While an endpoint moves between slices it is in two of them; the better state is the newer one.
      if (!before || (!before.ready && candidate.ready)) byKey.set(candidate.key, candidate);
    }
  }
  return [...byKey.values()];
}

/** Ready ones, or those that still serve while they terminate when none is ready (KEP-1669). */
function usable(candidates: readonly Candidate[]): readonly Candidate[] {
  const ready = candidates.filter((candidate) => candidate.ready);
  return ready.length ? ready : candidates.filter((candidate) => candidate.serving);
}

/** Those hinted for this zone, if every endpoint has hints and the zone has some: else all. */
function inZone(candidates: readonly Candidate[], zone: string | undefined): readonly Candidate[] {
  if (!zone || !candidates.every((candidate) => candidate.forZones)) return candidates;
  const here = candidates.filter((candidate) => candidate.forZones!.includes(zone));
  return here.length ? here : candidates;
}

const bare = (candidates: readonly Candidate[]): Endpoint[] =>
  candidates.map(({ key, ip, port }) => ({ key, ip, port }));

/** Addresses outside the cluster's own range that lead to the Service. */
function externalAddresses(service: Service): string[] {
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  const balancers = service.spec?.type === 'LoadBalancer' ? ingress.map((entry) => entry.ip ?? '') : [];
  return [...new Set([...(service.spec?.externalIPs ?? []), ...balancers])].filter(Boolean);
}

const isIPv4 = (address: string | undefined): address is string => !!address && /^[\d.]+$/.test(address);

/** Whether the Service is for this proxy at all: not headless, not an alias, not another proxy's. */
function isProxied(service: Service): boolean {
  const { type, clusterIP } = service.spec ?? {};
  return (
    type !== 'ExternalName' &&
    isIPv4(clusterIP) &&
    !service.metadata?.labels?.['service.kubernetes.io/service-proxy-name']
  );
}

function planPort(
  service: Service,
  port: ServicePort,
  slices: readonly EndpointSlice[],
  facts: NodeFacts,
): PortPlan | undefined {
  const { spec } = service;
  const protocol = port.protocol ?? 'TCP';
  if (!spec || (protocol !== 'TCP' && protocol !== 'UDP')) return undefined;
  const candidates = candidatesOf(port, slices, facts.nodeName);
  const all = bare(inZone(usable(candidates), facts.zone));
  const node = bare(usable(candidates.filter((candidate) => candidate.onNode)));
  const internal: Scope = spec.internalTrafficPolicy === 'Local' ? 'node' : 'all';
  const external: Scope = spec.externalTrafficPolicy === 'Local' ? 'client' : 'all';
  const wanted: [string, number, Scope][] = [[spec.clusterIP!, port.port, internal]];
  for (const address of externalAddresses(service))
    if (isIPv4(address)) wanted.push([address, port.port, external]);
  if (port.nodePort) wanted.push(['', port.nodePort, external]);
  const frontends = wanted
    .filter(([address, number]) => !facts.reserved?.has(`${address}:${number}`))
    // Without endpoints there is no listener, and the kernel refuses the client at once.
    .filter(([, , scope]) => (scope === 'node' ? node : all).length > 0)
    .map(([address, number, scope]): Frontend => {
      const key = `${protocol} ${address}:${number}`;
      return { key, protocol, address, port: number, scope, divertible: address === spec.clusterIP };
    });
  const affinity = spec.sessionAffinity === 'ClientIP';
  return {
    id: `${keyOf(service)}:${port.name ?? ''}/${protocol}`,
    service: keyOf(service),
    all,
    node,
    ...(affinity && {
      affinitySeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? defaultAffinitySeconds,
    }),
    frontends,
  };
}

/**
 * What a Service, with the EndpointSlices labelled with its name, asks of this node.
 * https://kubernetes.io/docs/reference/networking/virtual-ips/
 */
export function planService(
  service: Service | undefined,
  slices: readonly EndpointSlice[],
  facts: NodeFacts,
): ServicePlan {
  if (!service?.spec || !isProxied(service)) return nothing;
  const ports = (service.spec.ports ?? [])
    .map((port) => planPort(service, port, slices, facts))
    .filter((plan) => plan !== undefined);
  const { healthCheckNodePort } = service.spec;
  if (!healthCheckNodePort || service.spec.externalTrafficPolicy !== 'Local') return { ports };
  const local = new Set(ports.flatMap((plan) => plan.node.map((endpoint) => endpoint.ip)));
  return { ports, healthCheck: { port: healthCheckNodePort, localEndpoints: local.size } };
}
