import type { Service } from '../../api/types/core-v1.ts';
import type { Endpoint, EndpointSlice } from '../../api/types/discovery-v1.ts';

/** What the zone is made from, looked up at each question. */
export interface ZoneView {
  service(namespace: string, name: string): Service | undefined;
  slices(namespace: string, name: string): readonly EndpointSlice[];
  hasNamespace(name: string): boolean;
  serviceByIP(ip: string): Service | undefined;
  /** Slices that list the address. */
  slicesByIP(ip: string): readonly EndpointSlice[];
}

export type DnsRecord =
  | { type: 'A' | 'AAAA' | 'CNAME' | 'PTR' | 'NS'; name: string; ttl: number; data: string }
  | { type: 'TXT'; name: string; ttl: number; data: string }
  | {
      type: 'SRV';
      name: string;
      ttl: number;
      data: { priority: number; weight: number; port: number; target: string };
    }
  | { type: 'SOA'; name: string; ttl: number; data: StartOfAuthority };

interface StartOfAuthority {
  mname: string;
  rname: string;
  serial: number;
  refresh: number;
  retry: number;
  expire: number;
  minimum: number;
}

export interface ZoneAnswer {
  rcode: 'NOERROR' | 'NXDOMAIN';
  answers: DnsRecord[];
  additionals: DnsRecord[];
  authorities: DnsRecord[];
  /** The name that the last CNAME points at, still to be resolved. */
  chase?: string;
}

export interface Zone {
  /** Such as `cluster.local`, in lower case. */
  readonly domain: string;
  readonly view: ZoneView;
  /** Seconds that answers may be kept. */
  readonly ttl: number;
  /** Serial of the SOA. */
  readonly serial: number;
  /** Whether an address is the cluster's, so that nobody else is asked for its name. */
  readonly isClusterIP: (ip: string) => boolean;
}

/** Version of the specification that is followed. https://github.com/kubernetes/dns/blob/master/docs/specification.md */
const specification = '1.1.0';

const isIPv6 = (ip: string) => ip.includes(':');
const addressType = (ip: string) => (isIPv6(ip) ? 'AAAA' : 'A');

/** What is known of a name: undefined if it does not exist, no records if it exists without data. */
type Known = { records: DnsRecord[]; additionals?: DnsRecord[]; chase?: string } | undefined;

const noData: Known = { records: [] };

/**
 * Answers a question about the cluster's own names, or undefined when the name is not the cluster's.
 * Case is ignored for finding and kept in the answer.
 */
export function resolveName(zone: Zone, name: string, type: string): ZoneAnswer | undefined {
  const lower = name.toLowerCase().replace(/\.$/, '');
  const reverse = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(lower);
  if (reverse) {
    const ip = reverse[1]!.split('.').slice(0, 4).reverse().join('.');
    const pointers = namesOf(zone, ip).map((data): DnsRecord => ({ type: 'PTR', name, ttl: zone.ttl, data }));
    if (!pointers.length && !zone.isClusterIP(ip)) return undefined;
    return answer(zone, pointers.length ? { records: type === 'PTR' ? pointers : [] } : undefined);
  }
  if (lower !== zone.domain && !lower.endsWith(`.${zone.domain}`)) return undefined;
  const labels = lower === zone.domain ? [] : lower.slice(0, -zone.domain.length - 1).split('.');
  return answer(zone, find(zone, name, labels, type));
}

function answer(zone: Zone, known: Known): ZoneAnswer {
  const records = known?.records ?? [];
  return {
    rcode: known ? 'NOERROR' : 'NXDOMAIN',
    answers: records,
    additionals: known?.additionals ?? [],
    // Tells resolvers for how long they may believe that there is nothing (RFC 2308).
    authorities: records.length ? [] : [startOfAuthority(zone)],
    ...(known?.chase && { chase: known.chase }),
  };
}

function startOfAuthority(zone: Zone): DnsRecord {
  return {
    type: 'SOA',
    name: zone.domain,
    ttl: zone.ttl,
    data: {
      mname: `ns.dns.${zone.domain}`,
      rname: `hostmaster.${zone.domain}`,
      serial: zone.serial,
      refresh: 7200,
      retry: 1800,
      expire: 86_400,
      minimum: zone.ttl,
    },
  };
}

function find(zone: Zone, name: string, labels: string[], type: string): Known {
  const { view, ttl, domain } = zone;
  if (!labels.length) {
    if (type === 'SOA') return { records: [{ ...startOfAuthority(zone), name }] };
    return type === 'NS' ? { records: [{ type: 'NS', name, ttl, data: `ns.dns.${domain}` }] } : noData;
  }
  const last = labels.at(-1);
  if (labels.length === 1 && last === 'dns-version')
    return type === 'TXT' ? { records: [{ type: 'TXT', name, ttl, data: specification }] } : noData;
  if (last !== 'svc' && last !== 'pod') return undefined;
  if (labels.length === 1) return noData;
  const namespace = labels.at(-2)!;
  if (labels.length === 2) return view.hasNamespace(namespace) ? noData : undefined;
  if (last === 'pod')
    return labels.length === 3 ? podRecords(zone, name, labels[0]!, namespace, type) : undefined;
  const service = view.service(namespace, labels.at(-3)!);
  if (!service) return undefined;
  return serviceRecords(zone, name, service, labels.slice(0, -3), type);
}

function podRecords(zone: Zone, name: string, dashed: string, namespace: string, type: string): Known {
  const ip = /^\d{1,3}(-\d{1,3}){3}$/.test(dashed) ? dashed.replaceAll('-', '.') : undefined;
  if (!ip || ip.split('.').some((part) => Number(part) > 255)) return undefined;
  if (!zone.view.hasNamespace(namespace)) return undefined;
  return { records: matches(type, 'A') ? [{ type: 'A', name, ttl: zone.ttl, data: ip }] : [] };
}

const matches = (asked: string, type: string) => asked === type || asked === 'ANY';

/** `prefix` is what stands before the service's name: nothing, an endpoint, or `_port._protocol`. */
function serviceRecords(zone: Zone, name: string, service: Service, prefix: string[], type: string): Known {
  const { ttl } = zone;
  if (service.spec?.type === 'ExternalName') {
    const target = service.spec.externalName?.replace(/\.$/, '');
    if (prefix.length || !target) return undefined;
    return {
      records: [{ type: 'CNAME', name, ttl, data: target }],
      ...(type !== 'CNAME' && { chase: target }),
    };
  }
  const [first, second, ...rest] = prefix;
  if (rest.length) return undefined;
  const targets = targetsOf(zone, service);
  if (first === undefined || second !== undefined) {
    if (second !== undefined && !(first?.startsWith('_') && second.startsWith('_'))) return undefined;
    const wanted = first && second ? { port: first.slice(1), protocol: second.slice(1) } : undefined;
    const ports = targets.flatMap((target) => target.ports.map((port) => ({ target, port })));
    const found = ports.filter(
      ({ port }) => !wanted || (port.name === wanted.port && port.protocol === wanted.protocol),
    );
    if (wanted ? !found.length : !targets.length) return undefined;
    if (matches(type, 'SRV') && (wanted || type === 'SRV')) return serviceLocations(zone, name, found);
    return wanted ? noData : addresses(zone, name, targets, type);
  }
  // `_tcp.web.default.svc` has names below it but nothing of its own.
  if (first.startsWith('_'))
    return targets.some((target) => target.ports.some((port) => `_${port.protocol}` === first))
      ? noData
      : undefined;
  const endpoints = endpointTargets(zone, service).filter((target) => target.host === first);
  return endpoints.length ? addresses(zone, name, endpoints, type) : undefined;
}

function addresses(zone: Zone, name: string, targets: readonly Target[], type: string): Known {
  const ips = new Set(targets.map((target) => target.ip).filter((ip) => matches(type, addressType(ip))));
  return { records: [...ips].map((data) => ({ type: addressType(data), name, ttl: zone.ttl, data })) };
}

function serviceLocations(zone: Zone, name: string, found: { target: Target; port: TargetPort }[]): Known {
  const weight = Math.max(1, Math.floor(100 / found.length));
  const additionals = new Map<string, DnsRecord>();
  const records = found.map(({ target, port }): DnsRecord => {
    additionals.set(`${target.name} ${target.ip}`, {
      type: addressType(target.ip),
      name: target.name,
      ttl: zone.ttl,
      data: target.ip,
    });
    return {
      type: 'SRV',
      name,
      ttl: zone.ttl,
      data: { priority: 0, weight, port: port.port, target: target.name },
    };
  });
  return { records, additionals: [...additionals.values()] };
}

interface TargetPort {
  name: string;
  /** In lower case. */
  protocol: string;
  port: number;
}

/** An address behind a service's name, and the name of its own that SRV records give it. */
interface Target {
  host: string;
  name: string;
  ip: string;
  ports: TargetPort[];
}

const serviceName = (zone: Zone, service: Service) =>
  `${service.metadata?.name}.${service.metadata?.namespace}.svc.${zone.domain}`;

const isHeadless = (service: Service) => service.spec?.clusterIP === 'None';

function targetsOf(zone: Zone, service: Service): Target[] {
  if (isHeadless(service)) return endpointTargets(zone, service);
  const ports = (service.spec?.ports ?? []).map((port) => targetPort(port.name, port.protocol, port.port));
  const ips = service.spec?.clusterIPs ?? (service.spec?.clusterIP ? [service.spec.clusterIP] : []);
  return ips.map((ip) => ({ host: '', name: serviceName(zone, service), ip, ports }));
}

const targetPort = (name: string | undefined, protocol: string | undefined, port: number): TargetPort => ({
  name: name ?? '',
  protocol: (protocol ?? 'TCP').toLowerCase(),
  port,
});

/** The name of an endpoint: its hostname, else its address with dashes. */
const hostOf = (endpoint: Endpoint, ip: string) => endpoint.hostname || ip.replaceAll(/[.:]/g, '-');

function endpointTargets(zone: Zone, service: Service): Target[] {
  const slices = zone.view.slices(service.metadata?.namespace ?? '', service.metadata?.name ?? '');
  return slices.flatMap((slice) => {
    const ports = (slice.ports ?? []).flatMap((port) =>
      port.port ? [targetPort(port.name, port.protocol, port.port)] : [],
    );
    return (slice.endpoints ?? [])
      .filter(
        (endpoint) => (endpoint.conditions?.ready ?? true) || service.spec?.publishNotReadyAddresses === true,
      )
      .flatMap((endpoint) =>
        endpoint.addresses.map((ip) => {
          const host = hostOf(endpoint, ip);
          return { host, name: `${host}.${serviceName(zone, service)}`, ip, ports };
        }),
      );
  });
}

/** The names that an address has: its service's, or its own in each headless service. */
function namesOf(zone: Zone, ip: string): string[] {
  const service = zone.view.serviceByIP(ip);
  if (service) return [serviceName(zone, service)];
  const names = new Set<string>();
  for (const slice of zone.view.slicesByIP(ip)) {
    const owner = slice.metadata?.labels?.['kubernetes.io/service-name'];
    const headless = owner ? zone.view.service(slice.metadata?.namespace ?? '', owner) : undefined;
    if (!headless || !isHeadless(headless)) continue;
    for (const target of endpointTargets(zone, headless)) if (target.ip === ip) names.add(target.name);
  }
  return [...names];
}
