import { DecodeError } from './decode-error.ts';

/**
 * What JSON.parse does not tell: Go's wording of a syntax error, and fields that stand twice. Both look at the text
 * again, so they run only when something is wrong.
 */

const shown = (character: string | undefined): string => {
  if (character === undefined) return '';
  if (character === "'") return `'\\''`;
  if (character === '"') return `'"'`;
  const code = character.codePointAt(0)!;
  if (character === '\n') return `'\\n'`;
  if (character === '\t') return `'\\t'`;
  if (character === '\r') return `'\\r'`;
  if (code < 0x20 || code === 0x7f) return `'\\x${code.toString(16).padStart(2, '0')}'`;
  return `'${character}'`;
};

interface Visitor {
  enter?(key: string | number): void;
  leave?(): void;
  /** A field name of the object being read. */
  field?(name: string, seen: Set<string>): void;
}

/** A JSON reader that fails as encoding/json does. */
class Reader {
  readonly #text: string;
  readonly #visitor: Visitor;
  #at = 0;

  constructor(text: string, visitor: Visitor) {
    this.#text = text;
    this.#visitor = visitor;
  }

  read(): void {
    this.#space();
    this.#value();
    this.#space();
    if (this.#at < this.#text.length) this.#fail('after top-level value');
  }

  #fail(context: string): never {
    const character = this.#text[this.#at];
    if (character === undefined) throw new DecodeError('unexpected end of JSON input');
    const point = String.fromCodePoint(this.#text.codePointAt(this.#at)!);
    throw new DecodeError(`invalid character ${shown(point)} ${context}`);
  }

  #space(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? 'x')) this.#at++;
  }

  #value(): void {
    const character = this.#text[this.#at];
    if (character === '{') this.#object();
    else if (character === '[') this.#array();
    else if (character === '"') this.#string();
    else if (character === 't') this.#literal('true');
    else if (character === 'f') this.#literal('false');
    else if (character === 'n') this.#literal('null');
    else if (character === '-' || (character !== undefined && character >= '0' && character <= '9'))
      this.#number();
    else this.#fail('looking for beginning of value');
  }

  #object(): void {
    const seen = new Set<string>();
    this.#at++;
    this.#space();
    if (this.#text[this.#at] === '}') {
      this.#at++;
      return;
    }
    for (;;) {
      if (this.#text[this.#at] !== '"') this.#fail('looking for beginning of object key string');
      const start = this.#at;
      this.#string();
      const name = JSON.parse(this.#text.slice(start, this.#at)) as string;
      this.#visitor.field?.(name, seen);
      seen.add(name);
      this.#space();
      if (this.#text[this.#at] !== ':') this.#fail('after object key');
      this.#at++;
      this.#space();
      this.#visitor.enter?.(name);
      this.#value();
      this.#visitor.leave?.();
      this.#space();
      const next = this.#text[this.#at];
      if (next !== ',' && next !== '}') this.#fail('after object key:value pair');
      this.#at++;
      if (next === '}') return;
      this.#space();
    }
  }

  #array(): void {
    this.#at++;
    this.#space();
    if (this.#text[this.#at] === ']') {
      this.#at++;
      return;
    }
    for (let index = 0; ; index++) {
      this.#visitor.enter?.(index);
      this.#value();
      this.#visitor.leave?.();
      this.#space();
      const next = this.#text[this.#at];
      if (next !== ',' && next !== ']') this.#fail('after array element');
      this.#at++;
      if (next === ']') return;
      this.#space();
    }
  }

  #string(): void {
    this.#at++;
    for (;;) {
      const character = this.#text[this.#at];
      if (character === '"') {
        this.#at++;
        return;
      }
      if (character === undefined || character < ' ') this.#fail('in string literal');
      this.#at++;
      if (character !== '\\') continue;
      const escaped = this.#text[this.#at];
      if (escaped === undefined || !'"\\/bfnrtu'.includes(escaped)) this.#fail('in string escape code');
      this.#at++;
      if (escaped === 'u')
        for (let i = 0; i < 4; i++, this.#at++)
          if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? ''))
            this.#fail('in \\u hexadecimal character escape');
    }
  }

  #literal(word: string): void {
    for (let i = 0; i < word.length; i++, this.#at++)
      if (this.#text[this.#at] !== word[i]) this.#fail(`in literal ${word} (expecting ${shown(word[i])})`);
  }

  #digits(context: string): void {
    if (!/\d/.test(this.#text[this.#at] ?? '')) this.#fail(context);
    while (/\d/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #number(): void {
    if (this.#text[this.#at] === '-') this.#at++;
    if (this.#text[this.#at] === '0') this.#at++;
    else this.#digits('in numeric literal');
    if (this.#text[this.#at] === '.') {
      this.#at++;
      this.#digits('after decimal point in numeric literal');
    }
    if (/[eE]/.test(this.#text[this.#at] ?? '')) {
      this.#at++;
      if (/[+-]/.test(this.#text[this.#at] ?? '')) this.#at++;
      this.#digits('in exponent of numeric literal');
    }
  }
}

/**
 * JSON.parse with Go's error texts.
 * @throws {DecodeError}
 */
export function parseJSON(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    new Reader(text, {}).read();
    throw new DecodeError((error as Error).message);
  }
}

/** Number of `name:` pairs in a JSON text. */
export function countPairs(text: string): number {
  let pairs = 0;
  let at = 0;
  for (;;) {
    const open = text.indexOf('"', at);
    const end = open < 0 ? text.length : open;
    for (let colon = text.indexOf(':', at); colon >= 0 && colon < end; colon = text.indexOf(':', colon + 1))
      pairs++;
    if (open < 0) return pairs;
    let close = text.indexOf('"', open + 1);
    while (close >= 0 && isEscaped(text, close)) close = text.indexOf('"', close + 1);
    if (close < 0) return pairs;
    at = close + 1;
  }
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  for (let i = at - 1; text.charCodeAt(i) === 92; i--) backslashes++;
  return backslashes % 2 === 1;
}

/** Paths of fields that stand more than once in their object, such as `spec.containers[0].name`. */
export function duplicateFields(text: string): string[] {
  const path: (string | number)[] = [];
  const found: string[] = [];
  const show = (name: string): string =>
    [...path, name].reduce<string>(
      (all, part) => (typeof part === 'number' ? `${all}[${part}]` : all ? `${all}.${part}` : part),
      '',
    );
  new Reader(text, {
    enter: (key) => path.push(key),
    leave: () => path.pop(),
    field: (name, seen) => {
      if (seen.has(name) && found.length < 100) found.push(show(name));
    },
  }).read();
  return [...new Set(found)];
}
