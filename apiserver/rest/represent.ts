import type { KubeObject } from '../../api/object.ts';
import { apiVersionOf } from '../../api/object.ts';
import type { KindDeclaration } from '../registry/kind.ts';
import type { CacheEntry } from '../storage/cache-entry.ts';
import type { Answer } from './answer.ts';
import type { Negotiated } from './media-types.ts';

/** What a list says about itself beside its items. */
export interface ListFacts {
  resourceVersion: string;
  continue?: string;
  remainingItemCount?: number;
}

export type IncludeObject = 'Metadata' | 'None' | 'Object';

/** Metadata only, as a PartialObjectMetadata. */
export const partialMetadata = (object: KubeObject): object => ({
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  metadata: object.metadata,
});

const columnDefinitions = (kind: KindDeclaration): object[] =>
  kind.columns.map(({ name, type, format = '', description = '', priority = 0 }) => ({
    name,
    type,
    format,
    description,
    priority,
  }));

function row(kind: KindDeclaration, object: KubeObject, include: IncludeObject, now: number): object {
  const cells = kind.columns.map((column) => column.value(object, now));
  if (include === 'None') return { cells };
  return { cells, object: include === 'Object' ? object : partialMetadata(object) };
}

/** Objects as `kubectl get` shows them. https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables */
export function table(
  kind: KindDeclaration,
  objects: readonly KubeObject[],
  facts: ListFacts,
  options: { include: IncludeObject; now: number; definitions: boolean },
): object {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: facts,
    columnDefinitions: options.definitions ? columnDefinitions(kind) : null,
    rows: objects.map((object) => row(kind, object, options.include, options.now)),
  };
}

const comma = Buffer.from(',');
const listEnd = Buffer.from(']}');

/** A list in plain JSON, put together from the items' own bytes. */
export function listBytes(kind: KindDeclaration, entries: readonly CacheEntry[], facts: ListFacts): Buffer {
  const head = JSON.stringify({ kind: kind.listKind, apiVersion: apiVersionOf(kind), metadata: facts });
  const parts: Buffer[] = [Buffer.from(`${head.slice(0, -1)},"items":[`)];
  for (const [index, entry] of entries.entries()) {
    if (index) parts.push(comma);
    parts.push(entry.bytes);
  }
  parts.push(listEnd);
  return Buffer.concat(parts);
}

/** Lays out one object or a Status as negotiated. */
export async function representObject(
  kind: KindDeclaration | undefined,
  bytes: Buffer,
  accept: Negotiated,
  options: { code: number; include?: IncludeObject; now: number },
): Promise<Answer> {
  const { code } = options;
  const plain = accept.representation === 'object' || !kind;
  if (plain && accept.format === 'json') return { code, contentType: 'application/json', body: bytes };
  const object = JSON.parse(bytes.toString()) as KubeObject;
  const shown = plain
    ? object
    : accept.representation === 'table'
      ? table(
          kind,
          [object],
          { resourceVersion: object.metadata?.resourceVersion ?? '' },
          {
            include: options.include ?? 'Metadata',
            now: options.now,
            definitions: true,
          },
        )
      : partialMetadata(object);
  return encode(code, shown, accept);
}

/** A value in the negotiated format. */
export async function encode(code: number, value: unknown, accept: Negotiated): Promise<Answer> {
  const body =
    accept.format === 'yaml'
      ? (await import('yaml')).stringify(value, { aliasDuplicateObjects: false })
      : JSON.stringify(value);
  return { code, contentType: accept.contentType, body: Buffer.from(body) };
}
