import { atKey, type FieldProblem, forbidden, invalid, required } from '../../api/field-error.ts';
import { qualifiedName } from '../../api/names.ts';
import { compareQuantities, isNegative, isWhole } from '../../api/quantity.ts';
import type { ResourceRequirements } from '../../api/types/core-v1.ts';
import { invalidFor } from './metadata-validation.ts';

const containerResources = new Set(['cpu', 'memory', 'ephemeral-storage']);
const standardResources = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'storage',
  'requests.storage',
  'services.nodeports',
  'services.loadbalancers',
]);
/** Resources that are counted, not measured. */
const integerResources = new Set([
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
]);

const isHugePages = (name: string): boolean => name.startsWith('hugepages-');
const isNative = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/');
const overcommitAllowed = (name: string): boolean => isNative(name) && !isHugePages(name);
const isExtended = (name: string): boolean => !isNative(name) && !name.startsWith('requests.');

function validateName(errors: FieldProblem[], field: string, name: string): void {
  const problems = qualifiedName(name);
  invalidFor(errors, field, name, problems);
  if (problems.length) return;
  if (!name.includes('/')) {
    if (!standardResources.has(name) && !isHugePages(name))
      errors.push(invalid(field, name, 'must be a standard resource type or fully qualified'));
    if (!containerResources.has(name) && !isHugePages(name))
      errors.push(invalid(field, name, 'must be a standard resource for containers'));
  } else if (!isNative(name) && !isExtended(name))
    errors.push(invalid(field, name, "doesn't follow extended resource name standard"));
}

/** An amount of a resource: not negative, and whole where the resource is counted. */
export function validateQuantityValue(
  errors: FieldProblem[],
  field: string,
  name: string,
  text: string,
): void {
  if (isNegative(text)) errors.push(invalid(field, text, 'must be greater than or equal to 0'));
  if ((integerResources.has(name) || isExtended(name)) && !isWhole(text))
    errors.push(invalid(field, text, 'must be an integer'));
}

/** Limits and requests of a container: known names, sane amounts, requests within limits. */
export function validateResources(
  errors: FieldProblem[],
  field: string,
  resources: ResourceRequirements | undefined,
): void {
  if (!resources) return;
  const { limits = {}, requests = {} } = resources;
  let compute = false;
  let huge = false;
  const seen = (name: string): void => {
    if (name === 'cpu' || name === 'memory') compute = true;
    if (isHugePages(name)) huge = true;
  };
  for (const [name, limit] of Object.entries(limits)) {
    const path = atKey(`${field}.limits`, name);
    if (!containerResources.has(name)) validateName(errors, path, name);
    validateQuantityValue(errors, path, name, limit);
    seen(name);
  }
  for (const [name, request] of Object.entries(requests)) {
    const path = atKey(`${field}.requests`, name);
    if (!containerResources.has(name)) validateName(errors, path, name);
    validateQuantityValue(errors, path, name, request);
    seen(name);
    const limit = limits[name];
    if (limit === undefined) {
      if (!overcommitAllowed(name))
        errors.push(required(`${field}.limits`, 'Limit must be set for non overcommitable resources'));
      continue;
    }
    const difference = compareQuantities(request, limit);
    if (difference !== 0 && !overcommitAllowed(name))
      errors.push(invalid(`${field}.requests`, request, `must be equal to ${name} limit of ${limit}`));
    else if (difference > 0)
      errors.push(
        invalid(`${field}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`),
      );
  }
  if (huge && !compute) errors.push(forbidden(field, 'HugePages require cpu or memory'));
}
