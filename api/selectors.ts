import { quote } from './field-error.ts';
import { qualifiedName, validLabelValue } from './names.ts';
import type { LabelSelector } from './types/meta-v1.ts';

/**
 * Label and field selectors, as they stand in URLs and in objects.
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
 */

type Labels = Readonly<Record<string, string>> | undefined;

export type LabelOperator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

/** The text or the object is not a selector. The message is Kubernetes' own, meant for a 400 answer. */
export class SelectorError extends Error {
  override name = 'SelectorError';
}

const integer = /^[+-]?\d+$/;

function requirementMatches(requirement: LabelRequirement, labels: Labels): boolean {
  const { key, operator, values } = requirement;
  const present = labels !== undefined && Object.hasOwn(labels, key);
  const value = present ? labels[key]! : '';
  switch (operator) {
    case '=':
    case '==':
    case 'in':
      return present && values.includes(value);
    case '!=':
    case 'notin':
      return !present || !values.includes(value);
    case 'exists':
      return present;
    case '!':
      return !present;
    case 'gt':
    case 'lt': {
      if (!present || !integer.test(value)) return false;
      const limit = BigInt(values[0]!);
      return operator === 'gt' ? BigInt(value) > limit : BigInt(value) < limit;
    }
  }
}

function requirementText({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case '!':
      return `!${key}`;
    case 'exists':
      return key;
    case '=':
    case '==':
    case '!=':
      return `${key}${operator}${values[0]}`;
    case 'gt':
      return `${key}>${values[0]}`;
    case 'lt':
      return `${key}<${values[0]}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${[...values].sort().join(',')})`;
  }
}

/** A label selector: all of its requirements must hold; without any it matches everything. */
export class Selector {
  readonly requirements: readonly LabelRequirement[];
  readonly #nothing: boolean;

  constructor(requirements: readonly LabelRequirement[], nothing = false) {
    this.requirements = requirements;
    this.#nothing = nothing;
  }

  /** Whether it matches every object. */
  get empty(): boolean {
    return !this.#nothing && this.requirements.length === 0;
  }

  matches(labels: Labels): boolean {
    if (this.#nothing) return false;
    for (const requirement of this.requirements) if (!requirementMatches(requirement, labels)) return false;
    return true;
  }

  /** The form that stands in a URL: `app=web,tier in (a,b),!old`. */
  toString(): string {
    return this.requirements.map(requirementText).join(',');
  }
}

export const selectEverything = new Selector([]);
export const selectNothing = new Selector([], true);

function checked(
  key: string,
  operator: LabelOperator,
  values: readonly string[],
  path: string,
): LabelRequirement {
  const fail = (field: string, value: unknown, why: string): never => {
    throw new SelectorError(
      `${field}: Invalid value: ${typeof value === 'string' ? quote(value) : JSON.stringify(value)}: ${why}`,
    );
  };
  const keyProblems = qualifiedName(key);
  if (keyProblems.length) fail(`${path}key`, key, keyProblems.join('; '));
  if (operator === 'in' || operator === 'notin') {
    if (!values.length)
      fail(`${path}values`, values, "for 'in', 'notin' operators, values set can't be empty");
  } else if (operator === 'exists' || operator === '!') {
    if (values.length)
      fail(`${path}values`, values, 'values set must be empty for exists and does not exist');
  } else if (operator === 'gt' || operator === 'lt') {
    if (values.length !== 1)
      fail(`${path}values`, values, "for 'Gt', 'Lt' operators, exactly one value is required");
    if (!integer.test(values[0]!))
      fail(`${path}values[0]`, values[0], "for 'Gt', 'Lt' operators, the value must be an integer");
  } else if (values.length !== 1)
    fail(`${path}values`, values, 'exact-match compatibility requires one single value');
  for (const [index, value] of values.entries()) {
    const problems = validLabelValue(value);
    if (problems.length) fail(`${path}values[${index}][${key}]`, value, problems.join('; '));
  }
  return { key, operator, values };
}

/** A selector from requirements, checked. @throws {SelectorError} */
export const requirement = (
  key: string,
  operator: LabelOperator,
  values: readonly string[],
): LabelRequirement => checked(key, operator, values, '');

interface Token {
  kind: 'identifier' | 'operator' | 'end';
  text: string;
}

const special = new Set(['(', ')', ',', '!', '=', '>', '<']);
const operators = new Set([')', ',', '!', '==', '=', '>', '<', 'in', '!=', 'notin', '(']);

function tokens(text: string): Token[] {
  const result: Token[] = [];
  let i = 0;
  while (i < text.length) {
    const character = text[i]!;
    if (/[ \t\r\n]/.test(character)) {
      i++;
      continue;
    }
    if (special.has(character)) {
      let end = i;
      let last = '';
      // The longest run of special characters that is still an operator.
      while (end < text.length && special.has(text[end]!)) {
        const candidate = text.slice(i, end + 1);
        if (operators.has(candidate)) last = candidate;
        else if (last) break;
        end++;
      }
      result.push({ kind: 'operator', text: last || text.slice(i, end) });
      i += (last || text.slice(i, end)).length;
      continue;
    }
    let end = i;
    while (end < text.length && !special.has(text[end]!) && !/[ \t\r\n]/.test(text[end]!)) end++;
    const word = text.slice(i, end);
    result.push({ kind: operators.has(word) ? 'operator' : 'identifier', text: word });
    i = end;
  }
  result.push({ kind: 'end', text: '' });
  return result;
}

class Parser {
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(text: string) {
    this.#tokens = tokens(text);
  }

  /** In the place of a value, the words `in` and `notin` are plain identifiers. */
  #peek(inValues = false): Token {
    const token = this.#tokens[this.#position]!;
    return inValues && (token.text === 'in' || token.text === 'notin')
      ? { ...token, kind: 'identifier' }
      : token;
  }

  #next(inValues = false): Token {
    const token = this.#peek(inValues);
    if (token.kind !== 'end') this.#position++;
    return token;
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.kind === 'end') return requirements;
      if (token.kind !== 'identifier' && token.text !== '!')
        throw new SelectorError(`found '${token.text}', expected: !, identifier, or 'end of string'`);
      requirements.push(this.#requirement());
      const separator = this.#next();
      if (separator.kind === 'end') return requirements;
      if (separator.text !== ',')
        throw new SelectorError(`found '${separator.text}', expected: ',' or 'end of string'`);
      const following = this.#peek();
      if (following.kind !== 'identifier' && following.text !== '!')
        throw new SelectorError(`found '${following.text}', expected: identifier after ','`);
    }
  }

  #requirement(): LabelRequirement {
    const fail = (error: unknown): never => {
      throw new SelectorError(
        `unable to parse requirement: ${error instanceof Error ? error.message : error}`,
      );
    };
    try {
      let token = this.#next();
      const negated = token.text === '!' && token.kind === 'operator';
      if (negated) token = this.#next();
      if (token.kind !== 'identifier') throw new SelectorError(`found '${token.text}', expected: identifier`);
      const key = token.text;
      const keyProblems = qualifiedName(key);
      if (keyProblems.length)
        throw new SelectorError(`<nil>: Invalid value: ${quote(key)}: ${keyProblems.join('; ')}`);
      const after = this.#peek();
      if (after.kind === 'end' || after.text === ',') return requirement(key, negated ? '!' : 'exists', []);
      if (negated) return requirement(key, '!', []);
      const operator = this.#operator();
      const values = operator === 'in' || operator === 'notin' ? this.#values() : [this.#exactValue()];
      return checked(key, operator, values, '');
    } catch (error) {
      return fail(error);
    }
  }

  #operator(): LabelOperator {
    const { text } = this.#next();
    switch (text) {
      case '=':
      case '==':
      case '!=':
      case 'in':
      case 'notin':
        return text;
      case '>':
        return 'gt';
      case '<':
        return 'lt';
      default:
        throw new SelectorError(`found '${text}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  #values(): string[] {
    const open = this.#next(true);
    if (open.text !== '(') throw new SelectorError(`found '${open.text}', expected: '('`);
    const values = new Set<string>();
    const first = this.#peek(true);
    if (first.text === ')' && first.kind === 'operator') {
      this.#next(true);
      return [];
    }
    if (first.kind !== 'identifier' && first.text !== ',')
      throw new SelectorError(`found '${first.text}', expected: ',', ')' or identifier`);
    for (;;) {
      const token = this.#next(true);
      if (token.kind === 'identifier') {
        values.add(token.text);
        const separator = this.#next(true);
        if (separator.text === ')') return [...values].sort();
        if (separator.text !== ',')
          throw new SelectorError(`found '${separator.text}', expected: ',' or ')'`);
        if (this.#peek(true).text === ')') values.add('');
      } else if (token.text === ',') values.add('');
      else if (token.text === ')' && token.kind === 'operator') return [...values].sort();
      else throw new SelectorError(`found '${token.text}', expected: ',', or identifier`);
    }
  }

  #exactValue(): string {
    const token = this.#peek(true);
    if (token.kind === 'end' || token.text === ',') return '';
    this.#next(true);
    if (token.kind === 'identifier') return token.text;
    throw new SelectorError(`found '${token.text}', expected: identifier`);
  }
}

/**
 * Reads the form that stands in a URL (`app=web,tier in (a,b),!old`).
 * @throws {SelectorError}
 */
export function parseLabelSelector(text: string): Selector {
  if (!text.trim()) return selectEverything;
  const requirements = new Parser(text).parse();
  return new Selector(requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)));
}

const objectOperators: Readonly<Record<string, LabelOperator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

/**
 * Reads the form that stands in objects (`matchLabels`, `matchExpressions`). An absent selector matches nothing,
 * an empty one everything.
 * @throws {SelectorError}
 */
export function selectorFromLabelSelector(selector: LabelSelector | undefined): Selector {
  if (!selector) return selectNothing;
  const requirements = Object.entries(selector.matchLabels ?? {}).map(([key, value]) =>
    requirement(key, '=', [value]),
  );
  for (const expression of selector.matchExpressions ?? []) {
    const operator = objectOperators[expression.operator];
    if (!operator)
      throw new SelectorError(`${quote(expression.operator)} is not a valid label selector operator`);
    requirements.push(requirement(expression.key, operator, expression.values ?? []));
  }
  return new Selector(requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)));
}

/** The selector of exactly these labels (a Service's `spec.selector`); absent or empty matches everything. */
export const selectorFromLabels = (labels: Labels): Selector =>
  new Selector(
    Object.entries(labels ?? {})
      .map(([key, value]): LabelRequirement => ({ key, operator: '=', values: [value] }))
      .sort((a, b) => (a.key < b.key ? -1 : 1)),
  );

/** How `kubectl get` shows an object's label selector: `app=web,tier in (a,b)`, `<none>`. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  try {
    return selectorFromLabelSelector(selector).toString() || '<none>';
  } catch {
    return '<error>';
  }
}

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/** A field selector: all of its requirements must hold. */
export class FieldSelector {
  readonly requirements: readonly FieldRequirement[];

  constructor(requirements: readonly FieldRequirement[]) {
    this.requirements = requirements;
  }

  get empty(): boolean {
    return this.requirements.length === 0;
  }

  /** `read` gives the value of a field by its name; an absent one is the empty string. */
  matches(read: (field: string) => string): boolean {
    for (const { field, operator, value } of this.requirements)
      if ((read(field) === value) !== (operator === '=')) return false;
    return true;
  }

  /** The value that a field must have, if the selector demands one: for looking up by an index. */
  exact(field: string): string | undefined {
    return this.requirements.find((item) => item.field === field && item.operator === '=')?.value;
  }

  toString(): string {
    return this.requirements
      .map(({ field, operator, value }) => `${field}${operator}${value.replace(/[\\,=]/g, '\\$&')}`)
      .join(',');
  }
}

function unescapeFieldValue(text: string): string {
  if (!/[\\,=]/.test(text)) return text;
  let result = '';
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === '\\') {
      const escaped = text[++i];
      if (escaped === undefined || !'\\,='.includes(escaped))
        throw new SelectorError(`invalid field selector: invalid escape sequence: \\${escaped ?? ''}`);
      result += escaped;
    } else if (character === ',' || character === '=')
      throw new SelectorError(`invalid field selector: unescaped character in value: ${character}`);
    else result += character;
  }
  return result;
}

/**
 * Reads `status.phase=Running,spec.nodeName!=a`. A backslash escapes `,`, `=` and itself in a value.
 * @throws {SelectorError}
 */
export function parseFieldSelector(text: string): FieldSelector {
  const parts = text.match(/(?:\\.|[^,\\])+|\\$/gs) ?? [];
  const requirements = parts.map((part): FieldRequirement => {
    const match = /^((?:(?!!=|=).)*)(!=|==|=)(.*)$/s.exec(part);
    if (!match) throw new SelectorError(`invalid selector: '${text}'; can't understand '${part}'`);
    return {
      field: match[1]!,
      operator: match[2] === '!=' ? '!=' : '=',
      value: unescapeFieldValue(match[3]!),
    };
  });
  return new FieldSelector(requirements);
}
