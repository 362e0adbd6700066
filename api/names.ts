/**
 * The shapes of names, labels and keys. Each function returns what is wrong with a value, in Kubernetes' words;
 * an empty list means the value is good. https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
 */

const label1123 = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const label1123Message =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
const subdomain1123 = `${label1123}(\\.${label1123})*`;
const subdomain1123Message =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const label1035Message =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const qualifiedMessage =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const labelValue = '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?';
const labelValueMessage =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const configKey = '[-._a-zA-Z0-9]+';
const configKeyMessage = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
const headerName = '[-A-Za-z0-9]+';
const headerNameMessage =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";

const whole = (source: string): RegExp => new RegExp(`^(?:${source})$`);
const label1123Pattern = whole(label1123);
const subdomain1123Pattern = whole(subdomain1123);
const label1035Pattern = whole(label1035);
const qualifiedPattern = whole(qualified);
const labelValuePattern = whole(labelValue);
const configKeyPattern = whole(configKey);
const headerNamePattern = whole(headerName);
// The same as the regular expression of relaxed environment variable names: printable ASCII without '='.
const envName = '^[ -<>-~]+$';
const envNamePattern = /^[ -<>-~]+$/;

const good: readonly string[] = [];

/** The sentence that goes with a failed regular expression: `message (e.g. 'x',  or 'y', regex used …)`. */
export function regexMessage(message: string, source: string, ...examples: string[]): string {
  if (!examples.length) return `${message} (regex used for validation is '${source}')`;
  const shown = examples.map((example) => `'${example}', `).join(' or ');
  return `${message} (e.g. ${shown}regex used for validation is '${source}')`;
}

const tooLong = (max: number): string => `must be no more than ${max} characters`;
const bytes = (text: string): number => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return Buffer.byteLength(text);
  return text.length;
};

/** A DNS label: up to 63 lower case alphanumerics and dashes. */
export function dns1123Label(value: string): readonly string[] {
  if (value.length <= 63 && label1123Pattern.test(value)) return good;
  const problems: string[] = [];
  if (bytes(value) > 63) problems.push(tooLong(63));
  if (!label1123Pattern.test(value))
    problems.push(
      subdomain1123Pattern.test(value)
        ? 'must not contain dots'
        : regexMessage(label1123Message, label1123, 'my-name', '123-abc'),
    );
  return problems;
}

/** DNS labels joined by dots, up to 253 characters: the name of most objects. */
export function dns1123Subdomain(value: string): readonly string[] {
  if (value.length <= 253 && subdomain1123Pattern.test(value)) return good;
  const problems: string[] = [];
  if (bytes(value) > 253) problems.push(tooLong(253));
  if (!subdomain1123Pattern.test(value))
    problems.push(regexMessage(subdomain1123Message, subdomain1123, 'example.com'));
  return problems;
}

/** A DNS label that begins with a letter: the name of a Service. */
export function dns1035Label(value: string): readonly string[] {
  const problems: string[] = [];
  if (bytes(value) > 63) problems.push(tooLong(63));
  if (!label1035Pattern.test(value))
    problems.push(regexMessage(label1035Message, label1035, 'my-name', 'abc-123'));
  return problems;
}

/** `name` or `prefix/name`: the key of a label, an annotation, a finalizer, a resource. */
export function qualifiedName(value: string): readonly string[] {
  const slash = value.indexOf('/');
  const name = slash < 0 ? value : value.slice(slash + 1);
  if (name.includes('/'))
    return [
      `a qualified name ${regexMessage(qualifiedMessage, qualified, 'MyName', 'my.name', '123-abc')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const problems: string[] = [];
  if (slash === 0) problems.push('prefix part must be non-empty');
  else if (slash > 0)
    for (const problem of dns1123Subdomain(value.slice(0, slash))) problems.push(`prefix part ${problem}`);
  if (!name) problems.push('name part must be non-empty');
  else if (bytes(name) > 63) problems.push(`name part ${tooLong(63)}`);
  if (!qualifiedPattern.test(name))
    problems.push(`name part ${regexMessage(qualifiedMessage, qualified, 'MyName', 'my.name', '123-abc')}`);
  return problems.length ? problems : good;
}

/** The value of a label: empty, or up to 63 characters. */
export function validLabelValue(value: string): readonly string[] {
  if (value.length <= 63 && labelValuePattern.test(value)) return good;
  const problems: string[] = [];
  if (bytes(value) > 63) problems.push(tooLong(63));
  if (!labelValuePattern.test(value))
    problems.push(regexMessage(labelValueMessage, labelValue, 'MyValue', 'my_value', '12345'));
  return problems;
}

/** A key of ConfigMap or Secret data: a file name without surprises. */
export function configMapKey(value: string): readonly string[] {
  const problems: string[] = [];
  if (bytes(value) > 253) problems.push(tooLong(253));
  if (!configKeyPattern.test(value))
    problems.push(regexMessage(configKeyMessage, configKey, 'key.name', 'KEY_NAME', 'key-name'));
  if (value === '.') problems.push("must not be '.'");
  else if (value === '..') problems.push("must not be '..'");
  else if (value.startsWith('..')) problems.push("must not start with '..'");
  return problems;
}

/** The name of an environment variable: printable ASCII without `=`. */
export const envVarName = (value: string): readonly string[] =>
  envNamePattern.test(value)
    ? good
    : [
        regexMessage(
          "a valid environment variable name must consist only of printable ASCII characters other than '='",
          envName,
        ),
      ];

/** The name of an HTTP header in a probe. */
export const httpHeaderName = (value: string): readonly string[] =>
  headerNamePattern.test(value) ? good : [headerNameMessage];

/** The name of a container port. */
export function portName(value: string): readonly string[] {
  const problems: string[] = [];
  if (bytes(value) > 15) problems.push(tooLong(15));
  if (!/^[-a-z0-9]+$/.test(value))
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(value)) problems.push('must contain at least one letter (a-z)');
  if (value.includes('--')) problems.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) problems.push('must not begin or end with a hyphen');
  return problems.length ? problems : good;
}

/** A port number. */
export const portNumber = (value: number): readonly string[] =>
  Number.isInteger(value) && value >= 1 && value <= 65535 ? good : ['must be between 1 and 65535, inclusive'];
