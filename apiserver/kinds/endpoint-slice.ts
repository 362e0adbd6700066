import { isIPv4, isIPv6 } from '../../api/addresses.ts';
import {
  duplicate,
  type FieldProblem,
  invalid,
  notSupported,
  required,
  tooMany,
} from '../../api/field-error.ts';
import { dns1123Label, dns1123Subdomain, qualifiedName } from '../../api/names.ts';
import { endpointSlices } from '../../api/resources.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, nameColumn, same } from './common.ts';
import { portProtocols } from './container-validation.ts';
import {
  invalidFor,
  validateImmutable,
  validateMetadata,
  validateMetadataUpdate,
} from './metadata-validation.ts';
import { validateNonSpecialIP } from './service-validation.ts';

const addressTypes = ['FQDN', 'IPv4', 'IPv6'];

function validateAddress(errors: FieldProblem[], field: string, type: string, address: string): void {
  if (type === 'IPv4') {
    if (!isIPv4(address)) errors.push(invalid(field, address, 'must be a valid IPv4 address'));
    else validateNonSpecialIP(errors, field, address);
  } else if (type === 'IPv6') {
    if (!isIPv6(address)) errors.push(invalid(field, address, 'must be a valid IPv6 address'));
    else validateNonSpecialIP(errors, field, address);
  } else if (type === 'FQDN') invalidFor(errors, field, address, dns1123Subdomain(address));
}

function validateSlice(object: EndpointSlice): FieldProblem[] {
  const errors = validateMetadata(object, true, dns1123Subdomain);
  if (!object.addressType) errors.push(required('addressType'));
  else if (!addressTypes.includes(object.addressType))
    errors.push(notSupported('addressType', object.addressType, addressTypes));
  const { endpoints = [], ports = [] } = object;
  if (endpoints.length > 1000) errors.push(tooMany('endpoints', endpoints.length, 1000));
  else
    for (const [index, { addresses = [], hostname }] of endpoints.entries()) {
      const path = `endpoints[${index}]`;
      if (!addresses.length) errors.push(required(`${path}.addresses`, 'must contain at least 1 address'));
      else if (addresses.length > 100) errors.push(tooMany(`${path}.addresses`, addresses.length, 100));
      for (const [position, address] of addresses.entries())
        validateAddress(errors, `${path}.addresses[${position}]`, object.addressType, address);
      if (hostname !== undefined) invalidFor(errors, `${path}.hostname`, hostname, dns1123Label(hostname));
    }
  if (ports.length > 20_000) errors.push(tooMany('ports', ports.length, 20_000));
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const path = `ports[${index}]`;
    const name = port.name ?? '';
    if (name) invalidFor(errors, `${path}.name`, name, dns1123Label(name));
    if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
    names.add(name);
    if (port.protocol === undefined) errors.push(required(`${path}.protocol`));
    else if (!portProtocols.includes(port.protocol))
      errors.push(notSupported(`${path}.protocol`, port.protocol, portProtocols));
    if (port.appProtocol !== undefined)
      invalidFor(errors, `${path}.appProtocol`, port.appProtocol, qualifiedName(port.appProtocol));
  }
  return errors;
}

const maxShown = 3;

function shortened(values: readonly (string | number)[]): string {
  if (!values.length) return '<unset>';
  const shown = values.slice(0, maxShown).join(',');
  return values.length > maxShown ? `${shown} + ${values.length - maxShown} more...` : shown;
}

const content = ({ metadata: _metadata, ...rest }: EndpointSlice): object => rest;

/** https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/ */
export const endpointSlice: KindDeclaration<EndpointSlice> = {
  ...endpointSlices,
  singular: 'endpointslice',
  listKind: 'EndpointSliceList',
  shortNames: [],
  categories: [],
  verbs: allVerbs,
  schema: 'io.k8s.api.discovery.v1.EndpointSlice',
  defaults(object) {
    for (const port of object.ports ?? []) {
      port.name ??= '';
      port.protocol ??= 'TCP';
    }
  },
  prepareForCreate(object) {
    object.metadata ??= {};
    object.metadata.generation = 1;
  },
  prepareForUpdate(next, previous) {
    next.metadata ??= {};
    const generation = previous.metadata?.generation ?? 0;
    next.metadata.generation = same(content(next), content(previous)) ? generation : generation + 1;
  },
  validate: validateSlice,
  validateUpdate(next, previous) {
    const errors = validateMetadataUpdate(next, previous);
    validateImmutable(errors, 'addressType', next.addressType, previous.addressType);
    return errors;
  },
  columns: [
    nameColumn,
    {
      name: 'AddressType',
      type: 'string',
      description: 'Type of the addresses.',
      value: (object) => object.addressType,
    },
    {
      name: 'Ports',
      type: 'string',
      description: 'Ports of the endpoints.',
      value: (object) => shortened((object.ports ?? []).map((port) => port.port ?? '*')),
    },
    {
      name: 'Endpoints',
      type: 'string',
      description: 'Addresses of the endpoints.',
      value: (object) => shortened((object.endpoints ?? []).flatMap((endpoint) => endpoint.addresses)),
    },
    ageColumn,
  ],
};
