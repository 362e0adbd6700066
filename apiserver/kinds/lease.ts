import { type FieldProblem, invalid } from '../../api/field-error.ts';
import { dns1123Subdomain } from '../../api/names.ts';
import { leases } from '../../api/resources.ts';
import type { Lease } from '../../api/types/coordination-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, nameColumn } from './common.ts';
import { validateMetadata, validateMetadataUpdate, validateNonnegative } from './metadata-validation.ts';

function validateLease(object: Lease): FieldProblem[] {
  const errors = validateMetadata(object, true, dns1123Subdomain);
  const seconds = object.spec?.leaseDurationSeconds;
  if (seconds !== undefined && seconds <= 0)
    errors.push(invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0'));
  validateNonnegative(errors, 'spec.leaseTransitions', object.spec?.leaseTransitions);
  return errors;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/ */
export const lease: KindDeclaration<Lease> = {
  ...leases,
  singular: 'lease',
  listKind: 'LeaseList',
  shortNames: [],
  categories: [],
  verbs: allVerbs,
  schema: 'io.k8s.api.coordination.v1.Lease',
  defaults(object) {
    object.spec ??= {};
  },
  validate: validateLease,
  validateUpdate: validateMetadataUpdate,
  allowCreateOnUpdate: true,
  columns: [
    nameColumn,
    {
      name: 'Holder',
      type: 'string',
      description: 'Who holds the lease.',
      value: (object) => object.spec?.holderIdentity ?? '',
    },
    ageColumn,
  ],
};
