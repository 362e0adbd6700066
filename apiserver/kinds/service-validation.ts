import { isCIDR, isIP, isIPv6 } from '../../api/addresses.ts';
import {
  duplicate,
  type FieldProblem,
  forbidden,
  invalid,
  notSupported,
  required,
} from '../../api/field-error.ts';
import { dns1035Label, dns1123Label, dns1123Subdomain, portNumber, qualifiedName } from '../../api/names.ts';
import type { Service, ServicePort, ServiceSpec } from '../../api/types/core-v1.ts';
import { portProtocols, validateEnum } from './container-validation.ts';
import { validatePortNumberOrName } from './handler-validation.ts';
import {
  invalidFor,
  validateLabels,
  validateMetadata,
  validateMetadataUpdate,
} from './metadata-validation.ts';
import { ipProblem } from './pod-spec-validation.ts';

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const affinities = ['ClientIP', 'None'];
const families = ['IPv4', 'IPv6'];
const familyPolicies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const trafficPolicies = ['Cluster', 'Local'];
const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
const maxAffinitySeconds = 86_400;

const isHeadless = ({ clusterIP, clusterIPs }: ServiceSpec): boolean =>
  clusterIP === 'None' || (clusterIPs?.length === 1 && clusterIPs[0] === 'None');

function validatePort(
  errors: FieldProblem[],
  path: string,
  port: ServicePort,
  names: Set<string>,
  nameRequired: boolean,
): void {
  if (port.name) {
    invalidFor(errors, `${path}.name`, port.name, dns1123Label(port.name));
    if (names.has(port.name)) errors.push(duplicate(`${path}.name`, port.name));
    names.add(port.name);
  } else if (nameRequired) errors.push(required(`${path}.name`));
  invalidFor(errors, `${path}.port`, port.port ?? 0, portNumber(port.port));
  validateEnum(errors, `${path}.protocol`, port.protocol, portProtocols);
  validatePortNumberOrName(errors, `${path}.targetPort`, port.targetPort);
  if (port.appProtocol !== undefined)
    invalidFor(errors, `${path}.appProtocol`, port.appProtocol, qualifiedName(port.appProtocol));
}

function validatePorts(errors: FieldProblem[], spec: ServiceSpec): void {
  const ports = spec.ports ?? [];
  if (!ports.length && !isHeadless(spec) && spec.type !== 'ExternalName') errors.push(required('spec.ports'));
  const names = new Set<string>();
  for (const [index, port] of ports.entries())
    validatePort(errors, `spec.ports[${index}]`, port, names, ports.length > 1);
}

function validateDuplicatePorts(errors: FieldProblem[], spec: ServiceSpec): void {
  const nodePorts = new Set<string>();
  const ports = new Set<string>();
  for (const [index, { protocol, nodePort }] of (spec.ports ?? []).entries()) {
    if (!nodePort) continue;
    if (spec.type === 'ClusterIP')
      errors.push(forbidden(`spec.ports[${index}].nodePort`, "may not be used when `type` is 'ClusterIP'"));
    const key = `${protocol}/${nodePort}`;
    if (nodePorts.has(key)) errors.push(duplicate(`spec.ports[${index}].nodePort`, nodePort));
    nodePorts.add(key);
  }
  for (const [index, { protocol, port }] of (spec.ports ?? []).entries()) {
    const key = `${protocol}/${port}`;
    if (ports.has(key)) errors.push(duplicate(`spec.ports[${index}]`, { protocol, port }));
    ports.add(key);
  }
}

function validateExternalName(errors: FieldProblem[], spec: ServiceSpec): void {
  const none = 'may not be set for ExternalName services';
  if (spec.clusterIPs?.length) errors.push(forbidden('spec.clusterIPs', none));
  if (spec.ipFamilies?.length) errors.push(forbidden('spec.ipFamilies', none));
  if (spec.ipFamilyPolicy !== undefined) errors.push(forbidden('spec.ipFamilyPolicy', none));
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  if (name) invalidFor(errors, 'spec.externalName', name, dns1123Subdomain(name));
  else errors.push(required('spec.externalName'));
}

function validateAffinity(errors: FieldProblem[], spec: ServiceSpec): void {
  validateEnum(errors, 'spec.sessionAffinity', spec.sessionAffinity, affinities);
  const field = 'spec.sessionAffinityConfig';
  if (spec.sessionAffinity === 'None') {
    if (spec.sessionAffinityConfig)
      errors.push(forbidden(field, 'must not be set when session affinity is None'));
  } else if (spec.sessionAffinity === 'ClientIP') {
    const timeout = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
    if (timeout === undefined)
      errors.push(required(`${field}.clientIP.timeoutSeconds`, 'when session affinity type is ClientIP'));
    else if (timeout <= 0 || timeout > maxAffinitySeconds)
      errors.push(
        invalid(
          `${field}.clientIP.timeoutSeconds`,
          timeout,
          `must be greater than 0 and less than ${maxAffinitySeconds}`,
        ),
      );
  }
}

function validateFamilies(errors: FieldProblem[], spec: ServiceSpec): void {
  const seen = new Set<string>();
  for (const [index, family] of (spec.ipFamilies ?? []).entries()) {
    const path = `spec.ipFamilies[${index}]`;
    if (!families.includes(family)) errors.push(notSupported(path, family, families));
    if (seen.has(family)) errors.push(duplicate(path, family));
    seen.add(family);
  }
  if (spec.ipFamilyPolicy !== undefined && !familyPolicies.includes(spec.ipFamilyPolicy))
    errors.push(notSupported('spec.ipFamilyPolicy', spec.ipFamilyPolicy, familyPolicies));
}

/** Cluster IPs and IP families: well-formed and consistent with each other. */
function validateClusterIPs(errors: FieldProblem[], spec: ServiceSpec): void {
  if (spec.type === 'ExternalName') return;
  const field = 'spec.clusterIPs';
  const ips = spec.clusterIPs ?? [];
  if (spec.clusterIP) {
    if (!ips.length) errors.push(required(field));
    else if (ips[0] !== spec.clusterIP)
      errors.push(invalid(field, ips, 'first value must match `clusterIP`'));
  } else if (ips.length) errors.push(invalid(field, ips, 'must be empty when `clusterIP` is not specified'));
  validateFamilies(errors, spec);
  let malformed = false;
  for (const [index, ip] of ips.entries()) {
    if (index === 0 && ip === 'None') {
      if (ips.length > 1) {
        malformed = true;
        errors.push(invalid(field, ips, "'None' must be the first and only value"));
      }
    } else if (!isIP(ip)) {
      malformed = true;
      errors.push(invalid(`${field}[${index}]`, ip, ipProblem));
    }
  }
  if (ips.length > 2) errors.push(invalid(field, ips, 'may only hold up to 2 values'));
  if (malformed || ips[0] === 'None') return;
  if (ips.length === 2 && isIPv6(ips[0]!) === isIPv6(ips[1]!))
    errors.push(invalid(field, ips, 'may specify no more than one IP for each IP family'));
  for (const [index, family] of (spec.ipFamilies ?? []).entries()) {
    const ip = ips[index];
    if (ip !== undefined && isIPv6(ip) !== (family === 'IPv6'))
      errors.push(
        invalid(
          `${field}[${index}]`,
          ip,
          `expected an ${family} value as indicated by \`ipFamilies[${index}]\``,
        ),
      );
  }
}

/** Addresses that cannot be anybody's service address: loopback, link-local, multicast, unspecified. */
const specialAddresses: readonly [RegExp, string][] = [
  [/^0\.0\.0\.0$|^::$/, 'may not be unspecified'],
  [/^127\.|^::1$/, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  [/^169\.254\.|^fe[89ab][0-9a-f]:/i, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
  [/^224\.0\.0\.|^ff02:/i, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'],
];

/** Adds an error if the address is one of those. */
export function validateNonSpecialIP(errors: FieldProblem[], field: string, ip: string): void {
  for (const [pattern, message] of specialAddresses)
    if (pattern.test(ip)) errors.push(invalid(field, ip, message));
}

function validateTraffic(errors: FieldProblem[], spec: ServiceSpec): void {
  const external = spec.externalTrafficPolicy;
  const accessible =
    spec.type === 'NodePort' ||
    spec.type === 'LoadBalancer' ||
    (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0);
  if (!accessible) {
    if (external)
      errors.push(
        invalid('spec.externalTrafficPolicy', external, 'may only be set for externally-accessible services'),
      );
  } else validateEnum(errors, 'spec.externalTrafficPolicy', external, trafficPolicies);
  if (spec.healthCheckNodePort && !(spec.type === 'LoadBalancer' && external === 'Local'))
    errors.push(
      invalid(
        'spec.healthCheckNodePort',
        spec.healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  const internal = spec.internalTrafficPolicy;
  if (internal === undefined) {
    if (spec.type !== 'ExternalName') errors.push(required('spec.internalTrafficPolicy'));
  } else if (!trafficPolicies.includes(internal))
    errors.push(notSupported('spec.internalTrafficPolicy', internal, trafficPolicies));
  const distribution = spec.trafficDistribution;
  if (distribution !== undefined && !distributions.includes(distribution))
    errors.push(notSupported('spec.trafficDistribution', distribution, distributions));
}

function validateLoadBalancer(errors: FieldProblem[], spec: ServiceSpec): void {
  const only = "may only be used when `type` is 'LoadBalancer'";
  const balanced = spec.type === 'LoadBalancer';
  const ranges = spec.loadBalancerSourceRanges ?? [];
  if (ranges.length && !balanced) errors.push(forbidden('spec.LoadBalancerSourceRanges', only));
  for (const [index, range] of ranges.entries())
    if (!isCIDR(range.trim()))
      errors.push(
        invalid(
          `spec.LoadBalancerSourceRanges[${index}]`,
          range.trim(),
          'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        ),
      );
  if (spec.allocateLoadBalancerNodePorts !== undefined && !balanced)
    errors.push(forbidden('spec.allocateLoadBalancerNodePorts', only));
  if (spec.loadBalancerClass !== undefined) {
    if (!balanced) errors.push(forbidden('spec.loadBalancerClass', only));
    else
      invalidFor(
        errors,
        'spec.loadBalancerClass',
        spec.loadBalancerClass,
        qualifiedName(spec.loadBalancerClass),
      );
  }
}

/** A service after defaulting. Addresses and node ports may still be missing: they are allocated afterwards. */
export function validateService(service: Service): FieldProblem[] {
  const errors = validateMetadata(service, true, dns1035Label);
  const spec = service.spec ?? {};
  if ((spec.type === 'LoadBalancer' || spec.type === 'NodePort') && isHeadless(spec))
    errors.push(invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`));
  if (spec.type === 'ExternalName') validateExternalName(errors, spec);
  validatePorts(errors, spec);
  validateLabels(errors, 'spec.selector', spec.selector);
  validateAffinity(errors, spec);
  validateClusterIPs(errors, spec);
  for (const [index, ip] of (spec.externalIPs ?? []).entries()) {
    if (isIP(ip)) validateNonSpecialIP(errors, `spec.externalIPs[${index}]`, ip);
    else errors.push(invalid(`spec.externalIPs[${index}]`, ip, ipProblem));
  }
  validateEnum(errors, 'spec.type', spec.type, types);
  validateDuplicatePorts(errors, spec);
  validateLoadBalancer(errors, spec);
  validateTraffic(errors, spec);
  return errors;
}

/** An update of a service: its primary address stays once it has one. */
export function validateServiceUpdate(next: Service, previous: Service): FieldProblem[] {
  const errors = validateMetadataUpdate(next, previous);
  const after = next.spec ?? {};
  const before = previous.spec ?? {};
  if (after.type === 'ExternalName' || before.type === 'ExternalName') return errors;
  const newIPs = after.clusterIPs ?? [];
  const oldIPs = before.clusterIPs ?? [];
  if (!(isHeadless(after) && isHeadless(before))) {
    if (oldIPs.length && !newIPs.length)
      errors.push(invalid('spec.clusterIPs[0]', newIPs, 'primary clusterIP can not be unset'));
    for (const [index, ip] of oldIPs.entries())
      if (
        newIPs[index] !== undefined &&
        newIPs[index] !== ip &&
        (index === 0 || newIPs.length === oldIPs.length)
      )
        errors.push(invalid(`spec.clusterIPs[${index}]`, newIPs, 'may not change once set'));
  }
  const oldFamilies = before.ipFamilies ?? [];
  const newFamilies = after.ipFamilies ?? [];
  if (!isHeadless(after) && !isHeadless(before) && newFamilies.length && oldFamilies.length)
    if (newFamilies[0] !== oldFamilies[0])
      errors.push(invalid('spec.ipFamilies[0]', newFamilies, 'may not change once set'));
  if (
    before.type === 'LoadBalancer' &&
    after.type === 'LoadBalancer' &&
    before.loadBalancerClass !== undefined
  )
    if (after.loadBalancerClass !== before.loadBalancerClass)
      errors.push(invalid('spec.loadBalancerClass', after.loadBalancerClass, 'may not change once set'));
  return errors;
}
