import { isIP } from '../../api/addresses.ts';
import { type FieldProblem, invalid, notSupported, required } from '../../api/field-error.ts';
import { dns1123Label, dns1123Subdomain } from '../../api/names.ts';
import type { PodSpec } from '../../api/types/core-v1.ts';
import { validateContainers, validateEnum } from './container-validation.ts';
import { invalidFor, validateLabels } from './metadata-validation.ts';
import {
  validateAffinity,
  validateGates,
  validateSpread,
  validateTolerations,
} from './scheduling-validation.ts';
import { validatePodSecurityContext } from './security-validation.ts';
import { validateVolumes } from './volume-validation.ts';

const restartPolicies = ['Always', 'OnFailure', 'Never'];
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const preemptionPolicies = ['PreemptLowerPriority', 'Never'];
const systems = ['linux', 'windows'];
const maxInt32 = 2 ** 31 - 1;

/** The message for a value that is no IP address. */
export const ipProblem = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

function validateDNS(errors: FieldProblem[], field: string, spec: PodSpec): void {
  const config = spec.dnsConfig;
  if (spec.dnsPolicy === 'None') {
    if (!config) {
      errors.push(required(field, 'must provide `dnsConfig` when `dnsPolicy` is None'));
      return;
    }
    if (!config.nameservers?.length) {
      errors.push(
        required(`${field}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'),
      );
      return;
    }
  }
  const { nameservers = [], searches = [], options = [] } = config ?? {};
  if (nameservers.length > 3)
    errors.push(invalid(`${field}.nameservers`, nameservers, 'must not have more than 3 nameservers'));
  for (const [index, server] of nameservers.entries())
    if (!isIP(server)) errors.push(invalid(`${field}.nameservers[${index}]`, server, ipProblem));
  if (searches.length > 32)
    errors.push(invalid(`${field}.searches`, searches, 'must not have more than 32 search paths'));
  if (searches.join(' ').length > 2048)
    errors.push(
      invalid(
        `${field}.searches`,
        searches,
        'must not have more than 2048 characters (including spaces) in the search list',
      ),
    );
  for (const [index, search] of searches.entries()) {
    const name = search.endsWith('.') ? search.slice(0, -1) : search;
    // Underscores are allowed here, as in the names of many private domains; `.` alone is the root.
    if (search !== '.')
      invalidFor(errors, `${field}.searches[${index}]`, name, dns1123Subdomain(name.replaceAll('_', 'a')));
  }
  for (const [index, option] of options.entries())
    if (!option.name) errors.push(required(`${field}.options[${index}]`, 'must not be empty'));
}

function validateHostNetwork(errors: FieldProblem[], field: string, spec: PodSpec, isPod: boolean): void {
  if (!spec.hostNetwork) return;
  for (const [index, { ports = [] }] of (spec.containers ?? []).entries())
    for (const [position, { hostPort = 0, containerPort }] of ports.entries())
      if ((isPod || hostPort !== 0) && hostPort !== containerPort)
        errors.push(
          invalid(
            `${field}.containers[${index}].ports[${position}].hostPort`,
            hostPort,
            'must match `containerPort` when `hostNetwork` is true',
          ),
        );
}

function validateNames(errors: FieldProblem[], field: string, spec: PodSpec): void {
  const subdomains = ['serviceAccountName', 'nodeName', 'priorityClassName', 'runtimeClassName'] as const;
  for (const name of subdomains) {
    const value = spec[name];
    if (value) invalidFor(errors, `${field}.${name}`, value, dns1123Subdomain(value));
  }
  for (const name of ['hostname', 'subdomain'] as const) {
    const value = spec[name];
    if (value) invalidFor(errors, `${field}.${name}`, value, dns1123Label(value));
  }
  for (const [index, { ip, hostnames = [] }] of (spec.hostAliases ?? []).entries()) {
    if (!isIP(ip ?? '')) errors.push(invalid(`${field}.hostAliases[${index}].ip`, ip ?? '', ipProblem));
    for (const [position, name] of hostnames.entries())
      invalidFor(
        errors,
        `${field}.hostAliases[${index}].hostnames[${position}]`,
        name,
        dns1123Subdomain(name),
      );
  }
}

/**
 * A pod spec after defaulting. `isPod` is false for the template of a workload, where the node is not yet decided.
 * https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
 */
export function validatePodSpec(errors: FieldProblem[], field: string, spec: PodSpec, isPod: boolean): void {
  if (spec.terminationGracePeriodSeconds === undefined)
    errors.push(required(`${field}.terminationGracePeriodSeconds`));
  const volumes = validateVolumes(errors, `${field}.volumes`, spec.volumes);
  validateContainers(errors, field, spec, volumes);
  validateHostNetwork(errors, field, spec, isPod);
  validateEnum(errors, `${field}.restartPolicy`, spec.restartPolicy, restartPolicies);
  validateEnum(errors, `${field}.dnsPolicy`, spec.dnsPolicy, dnsPolicies);
  validateLabels(errors, `${field}.nodeSelector`, spec.nodeSelector);
  validatePodSecurityContext(errors, field, spec);
  validateAffinity(errors, `${field}.affinity`, spec.affinity);
  if (spec.dnsConfig || spec.dnsPolicy === 'None') validateDNS(errors, `${field}.dnsConfig`, spec);
  validateGates(errors, field, spec);
  validateSpread(errors, `${field}.topologySpreadConstraints`, spec.topologySpreadConstraints);
  validateNames(errors, field, spec);
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > maxInt32))
    errors.push(
      invalid(`${field}.activeDeadlineSeconds`, deadline, `must be between 1 and ${maxInt32}, inclusive`),
    );
  validateTolerations(errors, `${field}.tolerations`, spec.tolerations);
  if (spec.preemptionPolicy !== undefined)
    validateEnum(errors, `${field}.preemptionPolicy`, spec.preemptionPolicy, preemptionPolicies);
  if (spec.os && !systems.includes(spec.os.name))
    errors.push(notSupported(`${field}.os.name`, spec.os.name ?? '', systems));
}
