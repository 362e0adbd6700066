import { secrets } from '../../api/resources.ts';
import type { Secret } from '../../api/types/core-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, count, nameColumn } from './common.ts';

/** https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/ */
export const secret: KindDeclaration<Secret> = {
  ...secrets,
  singular: 'secret',
  listKind: 'SecretList',
  shortNames: [],
  categories: [],
  verbs: allVerbs,
  schema: 'io.k8s.api.core.v1.Secret',
  defaults(object) {
    object.type ||= 'Opaque';
    // stringData is write-only: it is folded into data and never stored.
    if (object.stringData) {
      object.data ??= {};
      for (const [key, value] of Object.entries(object.stringData))
        object.data[key] = Buffer.from(value, 'utf8').toString('base64');
      delete object.stringData;
    }
  },
  selectableFields: { type: (object) => object.type ?? '' },
  columns: [
    nameColumn,
    {
      name: 'Type',
      type: 'string',
      description: 'What the data is for.',
      value: (object) => object.type ?? '',
    },
    {
      name: 'Data',
      type: 'string',
      description: 'Number of entries.',
      value: (object) => count(object.data),
    },
    ageColumn,
  ],
};
