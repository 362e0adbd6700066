import type { Service } from '../../api/types/core-v1.ts';

const variable = (name: string): string => name.toUpperCase().replaceAll('-', '_');

function variablesOf(service: Service): [string, string][] {
  const name = variable(service.metadata?.name ?? '');
  const host = service.spec?.clusterIP ?? '';
  const ports = service.spec?.ports ?? [];
  const [first] = ports;
  if (!first) return [];
  const result: [string, string][] = [
    [`${name}_SERVICE_HOST`, host],
    [`${name}_SERVICE_PORT`, String(first.port)],
  ];
  for (const port of ports)
    if (port.name) result.push([`${name}_SERVICE_PORT_${variable(port.name)}`, String(port.port)]);
  const url = (port: (typeof ports)[number]) =>
    `${(port.protocol ?? 'TCP').toLowerCase()}://${host}:${port.port}`;
  result.push([`${name}_PORT`, url(first)]);
  for (const port of ports) {
    const protocol = port.protocol ?? 'TCP';
    const prefix = `${name}_PORT_${port.port}_${protocol}`;
    result.push(
      [prefix, url(port)],
      [`${prefix}_PROTO`, protocol.toLowerCase()],
      [`${prefix}_PORT`, String(port.port)],
      [`${prefix}_ADDR`, host],
    );
  }
  return result;
}

const hasClusterIP = (service: Service): boolean =>
  service.spec?.clusterIP !== undefined && service.spec.clusterIP !== '' && service.spec.clusterIP !== 'None';

/**
 * The variables by which a container finds services: always those of `default/kubernetes`, and those of its own
 * namespace if service links are on.
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
export function serviceEnvironment(
  services: Iterable<Service>,
  namespace: string,
  serviceLinks: boolean,
): Map<string, string> {
  const chosen = new Map<string, Service>();
  for (const service of services) {
    if (!hasClusterIP(service)) continue;
    const name = service.metadata?.name ?? '';
    if (service.metadata?.namespace === namespace && serviceLinks) chosen.set(name, service);
    else if (service.metadata?.namespace === 'default' && name === 'kubernetes' && !chosen.has(name))
      chosen.set(name, service);
  }
  return new Map([...chosen.values()].flatMap(variablesOf));
}
