/** One command-line flag of a component, declared once: parsing, `--help` and typing derive from it. */
export type FlagType = 'string' | 'number' | 'boolean' | 'list' | 'duration';

export interface FlagDeclaration {
  type: FlagType;
  /** Value when the flag is absent; a flag without one is optional and reads as `undefined`. */
  default?: string | number | boolean | readonly string[];
  help: string;
  required?: boolean;
}

export type FlagDeclarations = Record<string, FlagDeclaration>;

type ValueOf<D extends FlagDeclaration> = D['type'] extends 'string'
  ? string
  : D['type'] extends 'number' | 'duration'
    ? number
    : D['type'] extends 'boolean'
      ? boolean
      : string[];

/** Parsed values by flag name (as written, with dashes). Durations are milliseconds. */
export type FlagValues<F extends FlagDeclarations> = {
  [K in keyof F]: F[K] extends { default: unknown } | { required: true }
    ? ValueOf<F[K]>
    : ValueOf<F[K]> | undefined;
};

/** A wrong command line. The message names the flag and is meant for the user as it is. */
export class FlagError extends Error {
  override name = 'FlagError';
}

const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Parses a Go duration (`1h30m`, `500ms`, `0`) to milliseconds; undefined if it is not one. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  let total = 0;
  let rest = text;
  while (rest) {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)/.exec(rest);
    if (!match) return undefined;
    total += Number(match[1]) * units[match[2]!]!;
    rest = rest.slice(match[0].length);
  }
  return text ? total : undefined;
}

function convert(name: string, type: FlagType, text: string): string | number | boolean | string[] {
  const invalid = (why: string) =>
    new FlagError(`invalid argument ${JSON.stringify(text)} for "--${name}" flag: ${why}`);
  if (type === 'number') {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value)) throw invalid('must be a number');
    return value;
  }
  if (type === 'duration') {
    const value = parseDuration(text);
    if (value === undefined) throw invalid('must be a duration such as 10s or 1m30s');
    return value;
  }
  if (type === 'boolean') {
    if (text === 'true') return true;
    if (text === 'false') return false;
    throw invalid('must be true or false');
  }
  if (type === 'list') return text === '' ? [] : text.split(',');
  return text;
}

/**
 * Reads `--name value`, `--name=value` and bare `--boolean`. A list flag may be repeated or comma-separated.
 * @throws {FlagError} for an unknown flag, a missing or malformed value, a missing required flag, or an
 * argument that is not a flag.
 */
export function parseFlags<const F extends FlagDeclarations>(
  flags: F,
  argv: readonly string[],
): FlagValues<F> {
  const values: Record<string, unknown> = {};
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!;
    const match = /^--?([A-Za-z0-9][\w-]*)(?:=(.*))?$/s.exec(argument);
    if (!match) throw new FlagError(`unknown argument: ${argument}`);
    const name = match[1]!;
    const declaration = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (!declaration) throw new FlagError(`unknown flag: --${name}`);
    let text = match[2];
    if (text === undefined) {
      if (declaration.type === 'boolean') text = 'true';
      else if (i + 1 < argv.length) text = argv[++i]!;
      else throw new FlagError(`flag needs an argument: --${name}`);
    }
    const value = convert(name, declaration.type, text);
    const before = values[name];
    values[name] = Array.isArray(value) && Array.isArray(before) ? [...before, ...value] : value;
  }
  for (const [name, declaration] of Object.entries(flags)) {
    if (values[name] !== undefined) continue;
    if (declaration.default !== undefined)
      values[name] =
        declaration.type === 'duration' && typeof declaration.default === 'string'
          ? convert(name, 'duration', declaration.default)
          : declaration.default;
    else if (declaration.required) throw new FlagError(`required flag not set: --${name}`);
  }
  return values as FlagValues<F>;
}

/** The `--help` text of a component: one line a flag with its default. */
export function flagHelp(command: string, flags: FlagDeclarations): string {
  const lines = Object.entries(flags).map(([name, flag]) => {
    const shown =
      flag.default === undefined || flag.default === '' ? '' : ` (default ${String(flag.default)})`;
    const left = flag.type === 'boolean' ? `  --${name}` : `  --${name} <${flag.type}>`;
    return `${left.padEnd(48)} ${flag.help}${shown}`;
  });
  return `Usage: ${command} [flags]\n\nFlags:\n${lines.join('\n')}\n`;
}
