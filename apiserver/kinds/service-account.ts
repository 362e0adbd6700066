import { serviceAccounts } from '../../api/resources.ts';
import type { ServiceAccount } from '../../api/types/core-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, nameColumn } from './common.ts';

/** https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/service-account-v1/ */
export const serviceAccount: KindDeclaration<ServiceAccount> = {
  ...serviceAccounts,
  singular: 'serviceaccount',
  listKind: 'ServiceAccountList',
  shortNames: ['sa'],
  categories: [],
  verbs: allVerbs,
  schema: 'io.k8s.api.core.v1.ServiceAccount',
  columns: [
    nameColumn,
    {
      name: 'Secrets',
      type: 'string',
      description: 'Number of secrets that its pods may use.',
      value: (object) => object.secrets?.length ?? 0,
    },
    ageColumn,
  ],
};
