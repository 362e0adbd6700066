import { isCIDR } from '../../api/addresses.ts';
import { type FieldProblem, forbidden, invalid } from '../../api/field-error.ts';
import { dns1123Subdomain } from '../../api/names.ts';
import { nodes } from '../../api/resources.ts';
import type { Node } from '../../api/types/core-v1.ts';
import type { KindDeclaration, TableColumn } from '../registry/kind.ts';
import { ageColumn, allVerbs, nameColumn, same } from './common.ts';
import { validateMetadata, validateMetadataUpdate, validateStatusMetadata } from './metadata-validation.ts';
import { validateQuantityValue } from './resource-validation.ts';
import { validateTaints } from './scheduling-validation.ts';

function validateAmounts(errors: FieldProblem[], object: Node): void {
  for (const kind of ['capacity', 'allocatable'] as const)
    for (const [name, amount] of Object.entries(object.status?.[kind] ?? {}))
      validateQuantityValue(errors, `status.${kind}.${name}`, name, amount);
}

function validateNode(object: Node): FieldProblem[] {
  const errors = validateMetadata(object, false, dns1123Subdomain);
  validateTaints(errors, 'metadata.taints', object.spec?.taints);
  validateAmounts(errors, object);
  const ranges = object.spec?.podCIDRs ?? [];
  for (const [index, range] of ranges.entries())
    if (!isCIDR(range))
      errors.push(
        invalid(
          `spec.podCIDRs[${index}]`,
          range,
          'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        ),
      );
  return errors;
}

function validateNodeUpdate(next: Node, previous: Node): FieldProblem[] {
  const errors = validateMetadataUpdate(next, previous);
  const once = (field: string): FieldProblem =>
    forbidden(`spec.${field}s`, `node updates may not change ${field} except from "" to valid`);
  if (previous.spec?.podCIDRs?.length && !same(previous.spec.podCIDRs, next.spec?.podCIDRs))
    errors.push(once('podCIDR'));
  if (previous.spec?.providerID && previous.spec.providerID !== next.spec?.providerID)
    errors.push(
      forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'),
    );
  return errors;
}

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
    // The older name of the first of the ranges: each follows the other.
    if (object.spec.podCIDR && !object.spec.podCIDRs?.length) object.spec.podCIDRs = [object.spec.podCIDR];
    else if (object.spec.podCIDRs?.length) object.spec.podCIDR = object.spec.podCIDRs[0];
    const status = object.status;
    if (status?.capacity) status.allocatable ??= { ...status.capacity };
  },
  prepareForUpdate(next, previous) {
    next.status = previous.status;
  },
  validate: validateNode,
  validateUpdate: validateNodeUpdate,
  status: {
    validateUpdate(next, previous) {
      const errors = validateStatusMetadata(next, previous);
      validateAmounts(errors, next);
      return errors;
    },
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
