import type { Node, Pod } from '../../api/types/core-v1.ts';
import { nodeNameOf } from '../authz/node-authorizer.ts';
import type { AdmissionAttributes } from '../registry/object-writer.ts';
import { forbidden } from '../rest/api-error.ts';
import type { AdmissionPlugin } from './chain.ts';

const restricted = 'node-restriction.kubernetes.io/';

/** Labels with the restricted prefix that differ between two states. */
function restrictedLabelChanges(next: Node, previous: Node | undefined): string[] {
  const before = previous?.metadata?.labels ?? {};
  const after = next.metadata?.labels ?? {};
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (key) => key.includes(restricted) && before[key] !== after[key],
  );
}

function admitNode({ operation, served, name, object, oldObject }: AdmissionAttributes, node: string): void {
  const refuse = (why: string) => forbidden(served.kind, name, why);
  if (name !== node)
    throw refuse(`node ${JSON.stringify(node)} is not allowed to modify node ${JSON.stringify(name)}`);
  if (operation === 'DELETE') return;
  const changed = restrictedLabelChanges(object as Node, oldObject as Node | undefined);
  if (changed.length)
    throw refuse(`is not allowed to set the following labels: ${changed.sort().join(', ')}`);
  const taints = (state: unknown) => JSON.stringify((state as Node).spec?.taints ?? []);
  if (operation === 'UPDATE' && taints(object) !== taints(oldObject))
    throw refuse(`node ${JSON.stringify(node)} is not allowed to modify taints`);
}

function admitPod({ served, name, oldObject }: AdmissionAttributes, node: string): void {
  if ((oldObject as Pod).spec?.nodeName === node) return;
  throw forbidden(
    served.kind,
    name,
    `node ${JSON.stringify(node)} can only update pod status for pods with spec.nodeName set to itself`,
  );
}

/** What a node writes under its own name is checked against what it writes. */
export const nodeRestriction: AdmissionPlugin = {
  name: 'NodeRestriction',
  admit(attributes) {
    const node = nodeNameOf(attributes.user);
    if (node === undefined) return;
    const { kind } = attributes.served;
    if (kind.group === '' && kind.plural === 'nodes') admitNode(attributes, node);
    if (kind.group === '' && kind.plural === 'pods' && attributes.operation !== 'CREATE')
      admitPod(attributes, node);
    if (kind.group === 'coordination.k8s.io' && kind.plural === 'leases' && attributes.name !== node)
      throw forbidden(
        kind,
        attributes.name,
        'can only access node lease with the same name as the requesting node',
      );
  },
};
