import { nodes } from '../../api/resources.ts';
import type { Node } from '../../api/types/core-v1.ts';
import type { KindDeclaration, TableColumn } from '../registry/kind.ts';
import { ageColumn, allVerbs, nameColumn } from './common.ts';

const rolePrefix = 'node-role.kubernetes.io/';

function roles(node: Node): string {
  const found = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata?.labels ?? {})) {
    if (key.startsWith(rolePrefix) && key.length > rolePrefix.length) found.add(key.slice(rolePrefix.length));
    else if (key === 'kubernetes.io/role' && value) found.add(value);
  }
  return [...found].sort().join(',') || '<none>';
}

function statusText(node: Node): string {
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready');
  const text = !ready ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return node.spec?.unschedulable ? `${text},SchedulingDisabled` : text;
}

const address =
  (type: string) =>
  (node: Node): string =>
    node.status?.addresses?.find((item) => item.type === type)?.address || '<none>';

const wide = (name: string, description: string, value: (node: Node) => string): TableColumn<Node> => ({
  name,
  type: 'string',
  priority: 1,
  description,
  value,
});

/** https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/node-v1/ */
export const node: KindDeclaration<Node> = {
  ...nodes,
  singular: 'node',
  listKind: 'NodeList',
  shortNames: ['no'],
  categories: [],
  verbs: allVerbs,
  schema: 'io.k8s.api.core.v1.Node',
  storagePath: 'minions',
  defaults(object) {
    object.spec ??= {};
    const status = object.status;
    if (status?.capacity) status.allocatable ??= { ...status.capacity };
  },
  prepareForUpdate(next, previous) {
    next.status = previous.status;
  },
  status: {
    prepareForUpdate(next, previous) {
      next.spec = previous.spec;
    },
  },
  selectableFields: { 'spec.unschedulable': (object) => String(object.spec?.unschedulable ?? false) },
  columns: [
    nameColumn,
    { name: 'Status', type: 'string', description: 'The status of the node', value: statusText },
    { name: 'Roles', type: 'string', description: 'The roles of the node', value: roles },
    ageColumn,
    {
      name: 'Version',
      type: 'string',
      description: 'Version of the kubelet.',
      value: (object) => object.status?.nodeInfo?.kubeletVersion ?? '',
    },
    wide('Internal-IP', 'Address of the node inside the cluster.', address('InternalIP')),
    wide('External-IP', 'Address of the node outside the cluster.', address('ExternalIP')),
    wide('OS-Image', 'Operating system.', (object) => object.status?.nodeInfo?.osImage || '<unknown>'),
    wide(
      'Kernel-Version',
      'Version of the kernel.',
      (object) => object.status?.nodeInfo?.kernelVersion || '<unknown>',
    ),
    wide(
      'Container-Runtime',
      'What runs the containers.',
      (object) => object.status?.nodeInfo?.containerRuntimeVersion || '<unknown>',
    ),
  ],
};
