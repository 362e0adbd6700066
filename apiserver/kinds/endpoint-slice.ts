import { endpointSlices } from '../../api/resources.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, nameColumn, same } from './common.ts';

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
