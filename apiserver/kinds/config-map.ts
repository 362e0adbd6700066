import { type FieldProblem, forbidden, invalid, tooLong } from '../../api/field-error.ts';
import { configMapKey, dns1123Subdomain } from '../../api/names.ts';
import { configMaps } from '../../api/resources.ts';
import type { ConfigMap } from '../../api/types/core-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, count, nameColumn, same } from './common.ts';
import { validateDataKeys, validateMetadata, validateMetadataUpdate } from './metadata-validation.ts';

/** The most that the values of one ConfigMap or Secret may hold. */
export const maxDataBytes = 1024 * 1024;

/** Bytes that a base64 text stands for. */
export const base64Bytes = (text: string): number =>
  (text.length / 4) * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);

function validateConfigMap(object: ConfigMap): FieldProblem[] {
  const errors = validateMetadata(object, true, dns1123Subdomain);
  let size = 0;
  validateDataKeys(errors, 'data', object.data, configMapKey);
  for (const [key, value] of Object.entries(object.data ?? {})) {
    if (object.binaryData && Object.hasOwn(object.binaryData, key))
      errors.push(invalid(`data[${key}]`, key, 'duplicate of key present in binaryData'));
    size += Buffer.byteLength(value);
  }
  validateDataKeys(errors, 'binaryData', object.binaryData, configMapKey);
  for (const value of Object.values(object.binaryData ?? {})) size += base64Bytes(value);
  // The whole object is meant, which Kubernetes writes as an empty path.
  if (size > maxDataBytes) errors.push(tooLong('[]', maxDataBytes));
  return errors;
}

/** An object that was marked immutable stays as it is. */
export function validateFrozen<T extends { immutable?: boolean }>(
  errors: FieldProblem[],
  next: T,
  previous: T,
  fields: readonly (keyof T & string)[],
): void {
  if (!previous.immutable) return;
  const message = 'field is immutable when `immutable` is set';
  if (!next.immutable) errors.push(forbidden('immutable', message));
  for (const field of fields) if (!same(next[field], previous[field])) errors.push(forbidden(field, message));
}

/** https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/config-map-v1/ */
export const configMap: KindDeclaration<ConfigMap> = {
  ...configMaps,
  singular: 'configmap',
  listKind: 'ConfigMapList',
  shortNames: ['cm'],
  categories: [],
  verbs: allVerbs,
  schema: 'io.k8s.api.core.v1.ConfigMap',
  validate: validateConfigMap,
  validateUpdate(next, previous) {
    const errors = validateMetadataUpdate(next, previous);
    validateFrozen(errors, next, previous, ['data', 'binaryData']);
    return errors;
  },
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
