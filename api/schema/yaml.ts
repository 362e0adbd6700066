import { LineCounter, parseAllDocuments } from 'yaml';
import { quote } from '../field-error.ts';
import type { ParseYAML } from './decode.ts';
import { DecodeError } from './decode-error.ts';

/** Go's wording of the commonest mistakes, by the parser's code. */
const messages: Readonly<Record<string, string>> = {
  BLOCK_AS_IMPLICIT_KEY: 'mapping values are not allowed in this context',
  MULTILINE_IMPLICIT_KEY: "could not find expected ':'",
  MISSING_CHAR: "did not find expected ',' or ']'",
  BAD_INDENT: 'did not find expected key',
  TAB_AS_INDENT: 'found character that cannot start any token',
  BAD_ALIAS: 'did not find expected alphabetic or numeric character',
  UNEXPECTED_TOKEN: 'did not find expected node content',
};

/**
 * Reads the first document of a YAML text as Kubernetes does: YAML 1.1 booleans (`yes`, `on`), no dates, and the last
 * of two equal keys wins. JSON is YAML too.
 * @throws {DecodeError}
 */
export const parseYAML: ParseYAML = (text) => {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    version: '1.1',
    schema: 'yaml-1.1',
    // Dates stay strings, and 1:30 is not a number of base 60.
    customTags: (tags) =>
      tags.filter((tag) => {
        const name = typeof tag === 'string' ? tag : tag.tag;
        const format = typeof tag === 'string' ? undefined : 'format' in tag ? tag.format : undefined;
        return name !== 'timestamp' && name !== 'tag:yaml.org,2002:timestamp' && format !== 'TIME';
      }),
    uniqueKeys: false,
    lineCounter: lines,
    prettyErrors: false,
  });
  const document = Array.isArray(documents) ? documents[0] : undefined;
  if (!document) return { value: null, duplicates: [] };
  const [error] = document.errors;
  if (error)
    throw new DecodeError(
      `yaml: line ${lines.linePos(error.pos[0]).line}: ${messages[error.code] ?? error.message.replace(/ at line.*/s, '')}`,
    );
  return { value: plain(document), duplicates: duplicates(document.contents, lines) };
};

/** The value of a document, its aliases followed. @throws {DecodeError} if they lead nowhere or explode */
function plain(document: { toJS(options: { maxAliasCount: number }): unknown }): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    const unknown = /^Unresolved alias.*: (.*)$/s.exec(error.message);
    throw new DecodeError(
      unknown
        ? `yaml: unknown anchor '${unknown[1]}' referenced`
        : 'yaml: document contains excessive aliasing',
    );
  }
}

interface Node {
  items?: readonly { key?: { value?: unknown; range?: readonly number[] }; value?: unknown }[];
}

function duplicates(contents: unknown, lines: LineCounter): string[] {
  const found: string[] = [];
  const visit = (node: unknown): void => {
    const items = (node as Node | null)?.items;
    if (!items) return;
    const seen = new Set<unknown>();
    for (const item of items) {
      if (!item || typeof item !== 'object' || !('key' in item)) {
        visit(item);
        continue;
      }
      const name = item.key?.value;
      if (seen.has(name)) {
        const { line } = lines.linePos(item.key?.range?.[0] ?? 0);
        found.push(`line ${line}: key ${quote(String(name))} already set in map`);
      }
      seen.add(name);
      visit(item.value);
    }
  };
  visit(contents);
  return found.length ? [`yaml: unmarshal errors:\n  ${found.join('\n  ')}`] : [];
}
