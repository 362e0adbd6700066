import {
  duplicate,
  type FieldProblem,
  forbidden,
  invalid,
  notSupported,
  required,
} from '../../api/field-error.ts';
import { dns1123Label, dns1123Subdomain, qualifiedName, validLabelValue } from '../../api/names.ts';
import type {
  Affinity,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodSpec,
  Taint,
  Toleration,
  TopologySpreadConstraint,
} from '../../api/types/core-v1.ts';
import { invalidFor, validateLabelSelector } from './metadata-validation.ts';

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

/** The tolerations of a pod. */
export function validateTolerations(
  errors: FieldProblem[],
  field: string,
  tolerations: readonly Toleration[] = [],
): void {
  for (const [index, toleration] of tolerations.entries()) {
    const path = `${field}[${index}]`;
    const { key = '', operator = '', value = '', effect = '' } = toleration;
    if (key) invalidFor(errors, `${path}.key`, key, qualifiedName(key));
    if (!key && operator !== 'Exists')
      errors.push(
        invalid(
          `${path}.operator`,
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    if (toleration.tolerationSeconds !== undefined && effect !== 'NoExecute')
      errors.push(
        invalid(`${path}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"),
      );
    if (operator === 'Equal' || operator === '') {
      const problems = validLabelValue(value);
      if (problems.length) errors.push(invalid(`${path}.operator`, value, problems.join(';')));
    } else if (operator === 'Exists') {
      if (value)
        errors.push(invalid(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'"));
    } else errors.push(notSupported(`${path}.operator`, operator, ['Equal', 'Exists']));
    if (effect && !effects.includes(effect)) errors.push(notSupported(`${path}.effect`, effect, effects));
  }
}

/** The taints of a node. */
export function validateTaints(errors: FieldProblem[], field: string, taints: readonly Taint[] = []): void {
  const seen = new Set<string>();
  for (const [index, taint] of taints.entries()) {
    const path = `${field}[${index}]`;
    invalidFor(errors, `${path}.key`, taint.key ?? '', qualifiedName(taint.key ?? ''));
    const problems = validLabelValue(taint.value ?? '');
    if (problems.length) errors.push(invalid(`${path}.value`, taint.value, problems.join(';')));
    if (!taint.effect) errors.push(required(`${path}.effect`));
    else if (!effects.includes(taint.effect))
      errors.push(notSupported(`${path}.effect`, taint.effect, effects));
    const key = `${taint.effect}/${taint.key}`;
    if (seen.has(key)) {
      const problem = duplicate(path, taint);
      errors.push({
        ...problem,
        message: `${problem.message}: taints must be unique by key and effect pair`,
      });
    }
    seen.add(key);
  }
}

function validateNodeRequirement(
  errors: FieldProblem[],
  path: string,
  { key, operator, values = [] }: NodeSelectorRequirement,
  strictValues: boolean,
): void {
  if (operator === 'In' || operator === 'NotIn') {
    if (!values.length)
      errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length)
      errors.push(
        forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
      );
  } else if (operator === 'Gt' || operator === 'Lt') {
    if (values.length !== 1)
      errors.push(
        required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"),
      );
  } else errors.push(invalid(`${path}.operator`, operator ?? '', 'not a valid selector operator'));
  invalidFor(errors, `${path}.key`, key ?? '', qualifiedName(key ?? ''));
  if (strictValues)
    for (const [index, value] of values.entries())
      invalidFor(errors, `${path}.values[${index}]`, value, validLabelValue(value));
}

function validateNodeField(errors: FieldProblem[], path: string, requirement: NodeSelectorRequirement): void {
  const { key, operator, values = [] } = requirement;
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length !== 1)
      errors.push(
        required(
          `${path}.values`,
          "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
        ),
      );
  } else errors.push(invalid(`${path}.operator`, operator ?? '', 'not a valid selector operator'));
  if (key !== 'metadata.name')
    errors.push(invalid(`${path}.key`, key ?? '', 'not a valid field selector key'));
  else
    for (const [index, value] of values.entries())
      invalidFor(errors, `${path}.values[${index}]`, value, dns1123Subdomain(value));
}

function validateNodeTerm(
  errors: FieldProblem[],
  path: string,
  term: NodeSelectorTerm,
  strictValues: boolean,
): void {
  for (const [index, requirement] of (term.matchExpressions ?? []).entries())
    validateNodeRequirement(errors, `${path}.matchExpressions[${index}]`, requirement, strictValues);
  for (const [index, requirement] of (term.matchFields ?? []).entries())
    validateNodeField(errors, `${path}.matchFields[${index}]`, requirement);
}

function validateWeight(errors: FieldProblem[], field: string, weight: number): void {
  if (!(weight > 0 && weight <= 100)) errors.push(invalid(field, weight ?? 0, 'must be in the range 1-100'));
}

function validatePodTerm(errors: FieldProblem[], path: string, term: PodAffinityTerm): void {
  validateLabelSelector(errors, `${path}.labelSelector`, term.labelSelector);
  validateLabelSelector(errors, `${path}.namespaceSelector`, term.namespaceSelector);
  for (const name of term.namespaces ?? []) invalidFor(errors, `${path}.namespace`, name, dns1123Label(name));
  if (!term.topologyKey) errors.push(required(`${path}.topologyKey`, 'can not be empty'));
  invalidFor(errors, `${path}.topologyKey`, term.topologyKey ?? '', qualifiedName(term.topologyKey ?? ''));
}

const mustHave = 'requiredDuringSchedulingIgnoredDuringExecution';
const wouldLike = 'preferredDuringSchedulingIgnoredDuringExecution';

/** Affinity to nodes and to other pods. */
export function validateAffinity(
  errors: FieldProblem[],
  field: string,
  affinity: Affinity | undefined,
): void {
  if (!affinity) return;
  const node = affinity.nodeAffinity;
  if (node?.[mustHave]) {
    const path = `${field}.nodeAffinity.${mustHave}.nodeSelectorTerms`;
    const terms = node[mustHave].nodeSelectorTerms ?? [];
    if (!terms.length) errors.push(required(path, 'must have at least one node selector term'));
    for (const [index, term] of terms.entries()) validateNodeTerm(errors, `${path}[${index}]`, term, true);
  }
  for (const [index, { weight, preference }] of (node?.[wouldLike] ?? []).entries()) {
    const path = `${field}.nodeAffinity.${wouldLike}[${index}]`;
    validateWeight(errors, `${path}.weight`, weight);
    validateNodeTerm(errors, `${path}.preference`, preference ?? {}, false);
  }
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    for (const [index, term] of (affinity[kind]?.[mustHave] ?? []).entries())
      validatePodTerm(errors, `${field}.${kind}.${mustHave}[${index}]`, term);
    for (const [index, { weight, podAffinityTerm }] of (affinity[kind]?.[wouldLike] ?? []).entries()) {
      const path = `${field}.${kind}.${wouldLike}[${index}]`;
      validateWeight(errors, `${path}.weight`, weight);
      validatePodTerm(errors, `${path}.podAffinityTerm`, podAffinityTerm ?? { topologyKey: '' });
    }
  }
}

const unsatisfiable = ['DoNotSchedule', 'ScheduleAnyway'];

/** How pods are spread over the topology. */
export function validateSpread(
  errors: FieldProblem[],
  field: string,
  constraints: readonly TopologySpreadConstraint[] = [],
): void {
  for (const [index, constraint] of constraints.entries()) {
    const path = `${field}[${index}]`;
    if (!(constraint.maxSkew > 0))
      errors.push(invalid(`${path}.maxSkew`, constraint.maxSkew ?? 0, 'must be greater than zero'));
    if (!constraint.topologyKey) errors.push(required(`${path}.topologyKey`, 'can not be empty'));
    else
      invalidFor(
        errors,
        `${path}.topologyKey`,
        constraint.topologyKey,
        qualifiedName(constraint.topologyKey),
      );
    if (!unsatisfiable.includes(constraint.whenUnsatisfiable))
      errors.push(
        notSupported(`${path}.whenUnsatisfiable`, constraint.whenUnsatisfiable ?? '', unsatisfiable),
      );
    const twin = constraints.findIndex(
      (other) =>
        other.topologyKey === constraint.topologyKey &&
        other.whenUnsatisfiable === constraint.whenUnsatisfiable,
    );
    if (twin < index)
      errors.push(
        duplicate(
          `${path}.{topologyKey, whenUnsatisfiable}`,
          `{${constraint.topologyKey}, ${constraint.whenUnsatisfiable}}`,
        ),
      );
    if (constraint.minDomains !== undefined) {
      if (constraint.minDomains <= 0)
        errors.push(invalid(`${path}.minDomains`, constraint.minDomains, 'must be greater than zero'));
      if (constraint.whenUnsatisfiable !== 'DoNotSchedule')
        errors.push(
          invalid(
            `${path}.minDomains`,
            constraint.minDomains,
            `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${constraint.whenUnsatisfiable}`,
          ),
        );
    }
    validateLabelSelector(errors, `${path}.labelSelector`, constraint.labelSelector);
  }
}

/** Names that must be there before a pod is scheduled or ready. */
export function validateGates(errors: FieldProblem[], field: string, spec: PodSpec): void {
  for (const [index, gate] of (spec.readinessGates ?? []).entries())
    invalidFor(
      errors,
      `${field}.readinessGates[${index}].conditionType`,
      gate.conditionType ?? '',
      qualifiedName(gate.conditionType ?? ''),
    );
  const seen = new Set<string>();
  for (const [index, gate] of (spec.schedulingGates ?? []).entries()) {
    const path = `${field}.schedulingGates[${index}]`;
    invalidFor(errors, path, gate.name ?? '', qualifiedName(gate.name ?? ''));
    if (seen.has(gate.name)) errors.push(duplicate(path, gate.name));
    seen.add(gate.name);
  }
}
