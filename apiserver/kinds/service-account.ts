import { dns1123Subdomain } from '../../api/names.ts';
import { serviceAccounts } from '../../api/resources.ts';
import type { ServiceAccount } from '../../api/types/core-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, nameColumn } from './common.ts';
import { validateMetadata, validateMetadataUpdate } from './metadata-validation.ts';

/** https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/service-account-v1/ */
export const serviceAccount: KindDeclaration<ServiceAccount> = {
  ...serviceAccounts,
  singular: 'serviceaccount',
  listKind: 'ServiceAccountList',
  shortNames: ['sa'],
  categories: [],
  verbs: allVerbs,
  schema: 'io.k8s.api.core.v1.ServiceAccount',
  validate: (object) => validateMetadata(object, true, dns1123Subdomain),
  validateUpdate: validateMetadataUpdate,
  deleteReturnsObject: true,
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
