import { type FieldProblem, invalid, required, tooLong } from '../../api/field-error.ts';
import { configMapKey, dns1123Subdomain } from '../../api/names.ts';
import { secrets } from '../../api/resources.ts';
import type { Secret } from '../../api/types/core-v1.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import { ageColumn, allVerbs, count, nameColumn } from './common.ts';
import { base64Bytes, maxDataBytes, validateFrozen } from './config-map.ts';
import {
  validateDataKeys,
  validateImmutable,
  validateMetadata,
  validateMetadataUpdate,
} from './metadata-validation.ts';

const accountName = 'kubernetes.io/service-account.name';

function validateJSONKey(errors: FieldProblem[], object: Secret, key: string): void {
  const value = object.data?.[key];
  if (value === undefined) {
    errors.push(required(`data[${key}]`));
    return;
  }
  try {
    JSON.parse(Buffer.from(value, 'base64').toString());
  } catch (error) {
    // The value is secret and is not repeated.
    errors.push(
      invalid(
        `data[${key}]`,
        '<secret contents redacted>',
        (error as Error).message.replace(/".*/s, '').trim(),
      ),
    );
  }
}

/** What secrets of the well-known types must hold. */
const typeChecks: Readonly<Record<string, (errors: FieldProblem[], object: Secret) => void>> = {
  'kubernetes.io/service-account-token'(errors, object) {
    if (!object.metadata?.annotations?.[accountName])
      errors.push(required(`metadata.annotations[${accountName}]`));
  },
  'kubernetes.io/dockercfg': (errors, object) => validateJSONKey(errors, object, '.dockercfg'),
  'kubernetes.io/dockerconfigjson': (errors, object) => validateJSONKey(errors, object, '.dockerconfigjson'),
  'kubernetes.io/basic-auth'(errors, { data = {} }) {
    if (data.username === undefined && data.password === undefined)
      errors.push(required('data[username]'), required('data[password]'));
  },
  'kubernetes.io/ssh-auth'(errors, { data = {} }) {
    if (!data['ssh-privatekey']) errors.push(required('data[ssh-privatekey]'));
  },
  'kubernetes.io/tls'(errors, { data = {} }) {
    for (const key of ['tls.crt', 'tls.key'])
      if (data[key] === undefined) errors.push(required(`data[${key}]`));
  },
};

function validateSecret(object: Secret): FieldProblem[] {
  const errors = validateMetadata(object, true, dns1123Subdomain);
  validateDataKeys(errors, 'data', object.data, configMapKey);
  const size = Object.values(object.data ?? {}).reduce((sum, value) => sum + base64Bytes(value), 0);
  if (size > maxDataBytes) errors.push(tooLong('data', maxDataBytes));
  typeChecks[object.type ?? '']?.(errors, object);
  return errors;
}

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
  validate: validateSecret,
  validateUpdate(next, previous) {
    const errors = validateMetadataUpdate(next, previous);
    validateImmutable(errors, 'type', next.type, previous.type);
    validateFrozen(errors, next, previous, ['data']);
    return errors;
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
