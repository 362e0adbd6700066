import { isIP } from '../../api/addresses.ts';
import { type FieldProblem, invalid, required } from '../../api/field-error.ts';
import { dns1123Label, dns1123Subdomain, portNumber } from '../../api/names.ts';
import { endpoints as resource } from '../../api/resources.ts';
import type { Endpoints } from '../../api/types/core-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, nameColumn } from './common.ts';
import { portProtocols, validateEnum } from './container-validation.ts';
import { invalidFor, validateMetadata, validateMetadataUpdate } from './metadata-validation.ts';
import { ipProblem } from './pod-spec-validation.ts';
import { validateNonSpecialIP } from './service-validation.ts';

function validateEndpoints(object: Endpoints): FieldProblem[] {
  const errors = validateMetadata(object, true, dns1123Subdomain);
  for (const [index, subset] of (object.subsets ?? []).entries()) {
    const path = `subsets[${index}]`;
    const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
    if (!addresses.length && !notReadyAddresses.length)
      errors.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
    for (const kind of ['addresses', 'notReadyAddresses'] as const)
      for (const [position, { ip, hostname }] of (subset[kind] ?? []).entries()) {
        const at = `${path}.${kind}[${position}]`;
        if (!isIP(ip ?? '')) errors.push(invalid(`${at}.ip`, ip ?? '', ipProblem));
        else validateNonSpecialIP(errors, `${at}.ip`, ip);
        if (hostname) invalidFor(errors, `${at}.hostname`, hostname, dns1123Label(hostname));
      }
    for (const [position, port] of ports.entries()) {
      const at = `${path}.ports[${position}]`;
      if (port.name) invalidFor(errors, `${at}.name`, port.name, dns1123Label(port.name));
      else if (ports.length > 1) errors.push(required(`${at}.name`));
      invalidFor(errors, `${at}.port`, port.port ?? 0, portNumber(port.port));
      validateEnum(errors, `${at}.protocol`, port.protocol, portProtocols);
    }
  }
  return errors;
}

const maxShown = 3;

/** Address and port, with the brackets that an IPv6 address needs. */
const hostPort = (ip: string, port: number): string =>
  ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;

/** The first addresses, and how many more there are. */
export function endpointsText(object: Endpoints): string {
  const subsets = object.subsets ?? [];
  if (!subsets.length) return '<none>';
  const all = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports.length
      ? ports.flatMap((port) => addresses.map(({ ip }) => hostPort(ip, port.port)))
      : addresses.map(({ ip }) => ip),
  );
  const shown = all.slice(0, maxShown).join(',');
  return all.length > maxShown ? `${shown} + ${all.length - maxShown} more...` : shown;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoints-v1/ */
export const endpoints: KindDeclaration<Endpoints> = {
  ...resource,
  singular: 'endpoints',
  listKind: 'EndpointsList',
  shortNames: ['ep'],
  categories: [],
  verbs: allVerbs,
  schema: 'io.k8s.api.core.v1.Endpoints',
  storagePath: 'services/endpoints',
  defaults(object) {
    for (const subset of object.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
  },
  validate: validateEndpoints,
  validateUpdate: validateMetadataUpdate,
  allowCreateOnUpdate: true,
  columns: [
    nameColumn,
    { name: 'Endpoints', type: 'string', description: 'Addresses that are ready.', value: endpointsText },
    ageColumn,
  ],
};
