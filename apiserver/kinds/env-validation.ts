import { type FieldProblem, invalid, notSupported, required } from '../../api/field-error.ts';
import { configMapKey, dns1123Subdomain, envVarName, qualifiedName } from '../../api/names.ts';
import type {
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  ObjectFieldSelector,
  ResourceFieldSelector,
} from '../../api/types/core-v1.ts';
import { invalidFor } from './metadata-validation.ts';

/** Fields of the pod that an environment variable may take its value from. */
const envFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
/** Fields of the pod that a file of a downward API volume may hold. */
const volumeFields = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];
const known = new Set([
  ...envFields,
  ...volumeFields,
  'spec.schedulerName',
  'spec.restartPolicy',
  'status.phase',
]);
const resources = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const sizes = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];
const divisors: Readonly<Record<string, { name: string; allowed: readonly string[]; shown: string }>> = {
  cpu: { name: 'cpu', allowed: ['1m', '1'], shown: '1m and 1' },
  memory: { name: 'memory', allowed: sizes, shown: sizes.join(', ') },
  'ephemeral-storage': { name: 'local ephemeral storage', allowed: sizes, shown: sizes.join(', ') },
};

/** A field of the pod, for a variable or for a file. */
export function validateFieldRef(
  errors: FieldProblem[],
  field: string,
  selector: ObjectFieldSelector,
  use: 'env' | 'volume',
): void {
  if (!selector.apiVersion) {
    errors.push(required(`${field}.apiVersion`));
    return;
  }
  const { fieldPath } = selector;
  if (!fieldPath) {
    errors.push(required(`${field}.fieldPath`));
    return;
  }
  const subscript = /^(.*)\['(.*)'\]$/.exec(fieldPath);
  const path = subscript ? subscript[1]! : fieldPath;
  if (selector.apiVersion !== 'v1') {
    errors.push(
      invalid(
        `${field}.fieldPath`,
        fieldPath,
        `error converting fieldPath: unsupported pod version: ${selector.apiVersion}`,
      ),
    );
    return;
  }
  if (subscript) {
    if (path === 'metadata.annotations')
      invalidFor(errors, field, subscript[2], qualifiedName(subscript[2]!.toLowerCase()));
    else if (path === 'metadata.labels')
      invalidFor(errors, field, subscript[2], qualifiedName(subscript[2]!));
    else
      errors.push(
        known.has(path)
          ? invalid(field, path, 'does not support subscript')
          : invalid(
              `${field}.fieldPath`,
              fieldPath,
              `error converting fieldPath: field label not supported: ${path}`,
            ),
      );
    return;
  }
  if (!known.has(path)) {
    errors.push(
      invalid(
        `${field}.fieldPath`,
        fieldPath,
        `error converting fieldPath: field label not supported: ${path}`,
      ),
    );
    return;
  }
  const allowed = use === 'env' ? envFields : volumeFields;
  if (!allowed.includes(path)) errors.push(notSupported(`${field}.fieldPath`, path, allowed));
}

/** A resource of a container, for a variable or for a file. */
export function validateResourceFieldRef(
  errors: FieldProblem[],
  field: string,
  selector: ResourceFieldSelector,
  use: 'env' | 'volume',
): void {
  const { resource, divisor = '0', containerName } = selector;
  if (use === 'volume' && !containerName) errors.push(required(`${field}.containerName`));
  else if (!resource) errors.push(required(`${field}.resource`));
  else if (!resources.includes(resource) && !/^(requests|limits)\.hugepages-/.test(resource))
    errors.push(notSupported(`${field}.resource`, resource, resources));
  if (divisor === '0') return;
  const rule = divisors[(resource ?? '').replace(/^(limits|requests)\./, '')];
  if (rule && !rule.allowed.includes(divisor))
    errors.push(
      invalid(
        `${field}.divisor`,
        resource,
        `only divisor's values ${rule.shown} are supported with the ${rule.name} resource`,
      ),
    );
}

function validateKeyRef(errors: FieldProblem[], field: string, ref: { name?: string; key?: string }): void {
  invalidFor(errors, `${field}.name`, ref.name ?? '', dns1123Subdomain(ref.name ?? ''));
  if (!ref.key) errors.push(required(`${field}.key`));
  else invalidFor(errors, `${field}.key`, ref.key, configMapKey(ref.key));
}

const sourcesText = '`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`';

function validateValueFrom(
  errors: FieldProblem[],
  field: string,
  source: EnvVarSource,
  value: string | undefined,
): void {
  let sources = 0;
  if (source.fieldRef && ++sources) validateFieldRef(errors, `${field}.fieldRef`, source.fieldRef, 'env');
  if (source.resourceFieldRef && ++sources)
    validateResourceFieldRef(errors, `${field}.resourceFieldRef`, source.resourceFieldRef, 'env');
  if (source.configMapKeyRef && ++sources)
    validateKeyRef(errors, `${field}.configMapKeyRef`, source.configMapKeyRef);
  if (source.secretKeyRef && ++sources) validateKeyRef(errors, `${field}.secretKeyRef`, source.secretKeyRef);
  if (sources === 0) errors.push(invalid(field, '', `must specify one of: ${sourcesText}`));
  else if (value) errors.push(invalid(field, '', 'may not be specified when `value` is not empty'));
  else if (sources > 1)
    errors.push(invalid(field, '', 'may not have more than one field specified at a time'));
}

/** The environment variables of a container. */
export function validateEnv(errors: FieldProblem[], field: string, vars: readonly EnvVar[] = []): void {
  for (const [index, { name, value, valueFrom }] of vars.entries()) {
    const path = `${field}[${index}]`;
    if (!name) errors.push(required(`${path}.name`));
    else invalidFor(errors, `${path}.name`, name, envVarName(name));
    if (valueFrom) validateValueFrom(errors, `${path}.valueFrom`, valueFrom, value);
  }
}

/** Whole ConfigMaps and Secrets as environment variables. */
export function validateEnvFrom(
  errors: FieldProblem[],
  field: string,
  sources: readonly EnvFromSource[] = [],
): void {
  for (const [index, { prefix, configMapRef, secretRef }] of sources.entries()) {
    const path = `${field}[${index}]`;
    if (prefix) invalidFor(errors, `${path}.prefix`, prefix, envVarName(prefix));
    for (const [kind, ref] of [
      ['configMapRef', configMapRef],
      ['secretRef', secretRef],
    ] as const) {
      if (!ref) continue;
      if (!ref.name) errors.push(required(`${path}.${kind}.name`));
      else invalidFor(errors, `${path}.${kind}.name`, ref.name, dns1123Subdomain(ref.name));
    }
    if (!configMapRef && !secretRef)
      errors.push(invalid(field, '', 'must specify one of: `configMapRef` or `secretRef`'));
    else if (configMapRef && secretRef)
      errors.push(invalid(field, '', 'may not have more than one field specified at a time'));
  }
}
