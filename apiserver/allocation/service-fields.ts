import type { Service, ServiceSpec } from '../../api/types/core-v1.ts';

/** Whether a service has a cluster IP (headless ones say `None`). */
export const needsClusterIP = ({ type }: ServiceSpec): boolean => type !== 'ExternalName';

/** Whether a service's ports are open on every node. */
export const needsNodePorts = ({ type, allocateLoadBalancerNodePorts }: ServiceSpec): boolean =>
  type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts !== false);

const mayHaveNodePorts = ({ type }: ServiceSpec): boolean => type === 'NodePort' || type === 'LoadBalancer';

/** The cluster IP that is taken from the range; undefined for none. */
export function allocatedIP(service: Service | undefined): string | undefined {
  const ip = service?.spec?.clusterIP;
  return ip && ip !== 'None' && service.spec?.type !== 'ExternalName' ? ip : undefined;
}

/** The node ports that are taken, `healthCheckNodePort` included. */
export function allocatedPorts(service: Service | undefined): Set<number> {
  const ports = new Set<number>();
  if (!service?.spec || !mayHaveNodePorts(service.spec)) return ports;
  for (const { nodePort } of service.spec.ports ?? []) if (nodePort) ports.add(nodePort);
  if (service.spec.healthCheckNodePort) ports.add(service.spec.healthCheckNodePort);
  return ports;
}

/** Whether the service wants a port on which a load balancer asks for its health. */
export const needsHealthCheckPort = ({ type, externalTrafficPolicy }: ServiceSpec): boolean =>
  type === 'LoadBalancer' && externalTrafficPolicy === 'Local';

/** Takes over from `previous` what an update leaves out and was allocated; in place. */
function keepAllocated(next: ServiceSpec, previous: ServiceSpec): void {
  if (needsClusterIP(previous) && needsClusterIP(next)) {
    next.clusterIP ||= previous.clusterIP;
    if (!next.clusterIPs?.length && next.clusterIP === previous.clusterIP)
      next.clusterIPs = previous.clusterIPs;
  }
  if (mayHaveNodePorts(previous) && mayHaveNodePorts(next)) {
    const before = new Set((previous.ports ?? []).map((port) => port.nodePort));
    const used = new Set(
      (next.ports ?? []).map((port) => port.nodePort).filter((port) => port && before.has(port)),
    );
    const byName = new Map((previous.ports ?? []).map((port) => [port.name ?? '', port.nodePort]));
    for (const port of next.ports ?? []) {
      const old = byName.get(port.name ?? '');
      if (port.nodePort || !old || used.has(old)) continue;
      port.nodePort = old;
      used.add(old);
    }
  }
  if (needsHealthCheckPort(previous) && needsHealthCheckPort(next))
    next.healthCheckNodePort ||= previous.healthCheckNodePort;
}

/** Drops what the new type has no use for, if the update only carries it along; in place. */
function dropUnused(next: ServiceSpec, previous: ServiceSpec): void {
  if (needsClusterIP(previous) && !needsClusterIP(next) && next.clusterIP === previous.clusterIP) {
    delete next.clusterIP;
    delete next.clusterIPs;
    delete next.ipFamilies;
    delete next.ipFamilyPolicy;
  }
  if (mayHaveNodePorts(previous) && !mayHaveNodePorts(next)) {
    const before = new Set((previous.ports ?? []).map((port) => port.nodePort));
    for (const port of next.ports ?? []) if (before.has(port.nodePort)) delete port.nodePort;
  }
  const outside = (spec: ServiceSpec): boolean => mayHaveNodePorts(spec) || !!spec.externalIPs?.length;
  if (outside(previous) && !outside(next) && next.externalTrafficPolicy === previous.externalTrafficPolicy)
    delete next.externalTrafficPolicy;
  if (previous.type === 'LoadBalancer' && next.type !== 'LoadBalancer') {
    if (next.allocateLoadBalancerNodePorts === previous.allocateLoadBalancerNodePorts)
      delete next.allocateLoadBalancerNodePorts;
    if (next.loadBalancerClass === previous.loadBalancerClass) delete next.loadBalancerClass;
  }
  if (!needsHealthCheckPort(next) && next.healthCheckNodePort === previous.healthCheckNodePort)
    delete next.healthCheckNodePort;
}

/** Brings the allocated fields of an updated service in line with its previous state, before validation. */
export function prepareServiceUpdate(next: Service, previous: Service): void {
  if (!next.spec || !previous.spec) return;
  keepAllocated(next.spec, previous.spec);
  dropUnused(next.spec, previous.spec);
}
