import { configMaps } from '../../api/resources.ts';
import type { ConfigMap } from '../../api/types/core-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, count, nameColumn } from './common.ts';

/** https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/config-map-v1/ */
export const configMap: KindDeclaration<ConfigMap> = {
  ...configMaps,
  singular: 'configmap',
  listKind: 'ConfigMapList',
  shortNames: ['cm'],
  categories: [],
  verbs: allVerbs,
  schema: 'io.k8s.api.core.v1.ConfigMap',
  columns: [
    nameColumn,
    {
      name: 'Data',
      type: 'string',
      description: 'Number of entries.',
      value: (object) => count(object.data) + count(object.binaryData),
    },
    ageColumn,
  ],
};
