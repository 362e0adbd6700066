import { leases } from '../../api/resources.ts';
import type { Lease } from '../../api/types/coordination-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, nameColumn } from './common.ts';

/** https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/ */
export const lease: KindDeclaration<Lease> = {
  ...leases,
  singular: 'lease',
  listKind: 'LeaseList',
  shortNames: [],
  categories: [],
  verbs: allVerbs,
  schema: 'io.k8s.api.coordination.v1.Lease',
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
