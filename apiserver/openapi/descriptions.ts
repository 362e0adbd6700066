import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What a definition and its fields are for, in the words of the Kubernetes documentation. */
export interface Description {
  text: string;
  fields: ReadonlyMap<string, string>;
}

const plainText = (text: string): string =>
  text
    .replace(/^\s*\*\s?/gm, '')
    .replace(/\\(.)/g, '$1')
    .trim();

/** Reads the doc comments of one generated model class. */
export function parseModel(source: string): Description {
  const fields = new Map<string, string>();
  const pattern = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(?:export declare class (\w+)|'([^']+)'\??:)/g;
  let text = '';
  for (const [, comment = '', type, field] of source.matchAll(pattern)) {
    if (type) text = plainText(comment);
    else if (field) fields.set(field, plainText(comment));
  }
  return { text, fields };
}

/** Names that the model of a definition may have: `V1Pod`, or `CoreV1Event` where groups share a name. */
export function modelNames(definition: string): string[] {
  const match = /\.(\w+)\.(v\d\w*)\.(\w+)$/.exec(definition);
  if (!match) return [];
  const capital = (word: string) => word[0]!.toUpperCase() + word.slice(1);
  const [, group, version, type] = match;
  return [`${capital(version!)}${type}`, `${capital(group!)}${capital(version!)}${type}`];
}

/**
 * The descriptions of definitions from the models of the npm package `@kubernetes/client-node`, where it is
 * installed; they are not part of this repository. Nothing is kept between calls.
 */
export function describe(definition: string): Description | undefined {
  for (const name of modelNames(definition)) {
    try {
      const entry = import.meta.resolve('@kubernetes/client-node');
      return parseModel(readFileSync(fileURLToPath(new URL(`gen/models/${name}.d.ts`, entry)), 'utf8'));
    } catch {
      // The package or the model is not there: the documentation goes without.
    }
  }
  return undefined;
}

interface DescribedSchema {
  description?: string;
  properties?: Record<string, object>;
}

/** A definition with its descriptions filled in; the same one if there are none. */
export function described(name: string, schema: object): object {
  const found = describe(name);
  if (!found) return schema;
  const { properties } = schema as DescribedSchema;
  return {
    ...(found.text && { description: found.text }),
    ...schema,
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([field, value]) => {
          const description = found.fields.get(field);
          if (!description) return [field, value];
          const { $ref, ...rest } = value as { $ref?: string };
          // OpenAPI v3 ignores what stands beside a reference, so the reference is wrapped.
          return [field, { description, ...rest, ...($ref && { allOf: [{ $ref }] }) }];
        }),
      ),
    }),
  };
}
