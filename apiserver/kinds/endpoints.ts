import { endpoints as resource } from '../../api/resources.ts';
import type { Endpoints } from '../../api/types/core-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, nameColumn } from './common.ts';

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
  columns: [
    nameColumn,
    { name: 'Endpoints', type: 'string', description: 'Addresses that are ready.', value: endpointsText },
    ageColumn,
  ],
};
