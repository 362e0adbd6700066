import { dns1123Label } from '../../api/names.ts';
import { namespaces } from '../../api/resources.ts';
import type { Namespace } from '../../api/types/core-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, nameColumn } from './common.ts';
import { validateMetadata, validateMetadataUpdate, validateStatusMetadata } from './metadata-validation.ts';

const nameLabel = 'kubernetes.io/metadata.name';

/** https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/namespace-v1/ */
export const namespace: KindDeclaration<Namespace> = {
  ...namespaces,
  singular: 'namespace',
  listKind: 'NamespaceList',
  shortNames: ['ns'],
  categories: [],
  // Namespaces are never deleted as a collection.
  verbs: allVerbs.filter((verb) => verb !== 'deletecollection'),
  schema: 'io.k8s.api.core.v1.Namespace',
  defaults(object) {
    if (!object.metadata?.name) return;
    object.metadata.labels ??= {};
    object.metadata.labels[nameLabel] = object.metadata.name;
  },
  prepareForCreate(object) {
    object.status = { phase: 'Active' };
    object.spec ??= {};
    const finalizers = object.spec.finalizers ?? [];
    object.spec.finalizers = finalizers.includes('kubernetes') ? finalizers : [...finalizers, 'kubernetes'];
  },
  prepareForUpdate(next, previous) {
    next.spec = { ...next.spec, finalizers: previous.spec?.finalizers };
    next.status = previous.status;
  },
  validate: (object) => validateMetadata(object, false, dns1123Label),
  validateUpdate: validateMetadataUpdate,
  status: {
    validateUpdate: validateStatusMetadata,
    prepareForUpdate(next, previous) {
      next.spec = previous.spec;
    },
  },
  deleteReturnsObject: true,
  selectableFields: { 'status.phase': (object) => object.status?.phase ?? '' },
  columns: [
    nameColumn,
    {
      name: 'Status',
      type: 'string',
      description: 'The status of the namespace',
      value: (object) => object.status?.phase ?? '',
    },
    ageColumn,
  ],
};
