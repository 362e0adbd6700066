import { parseFieldSelector, parseLabelSelector, SelectorError } from '../../api/selectors.ts';
import type { ServedKind } from '../registry/kind-registry.ts';
import { storeKey } from '../registry/object-writer.ts';
import type { CacheEntry } from '../storage/cache-entry.ts';
import type { Storage } from '../storage/storage.ts';
import type { Answer } from './answer.ts';
import { badRequest, notFound, tooLargeVersion } from './api-error.ts';
import { type ListPage, pageFromContinue, takePage } from './pagination.ts';
import {
  encode,
  type IncludeObject,
  type ListFacts,
  listBytes,
  partialMetadata,
  representObject,
  table,
} from './represent.ts';
import type { ResourceRequest } from './request-context.ts';

/** Tells whether an entry is selected; undefined if everything is. */
export type EntryFilter = ((entry: CacheEntry) => boolean) | undefined;

const catchUpLimit = 3_000;

/** Reads the selectors of a list, watch or deletecollection. @throws {ApiError} 400 if one is malformed */
export function entryFilter(served: ServedKind, query: URLSearchParams): EntryFilter {
  const labelText = query.get('labelSelector') ?? '';
  const fieldText = query.get('fieldSelector') ?? '';
  if (!labelText && !fieldText) return undefined;
  try {
    const labels = parseLabelSelector(labelText);
    const fields = parseFieldSelector(fieldText);
    for (const { field } of fields.requirements)
      if (!isSelectable(served, field)) throw new SelectorError(`field label not supported: ${field}`);
    return (entry) =>
      labels.matches(entry.selected.labels) && fields.matches((field) => entry.selected.fields[field] ?? '');
  } catch (error) {
    if (error instanceof SelectorError) throw badRequest(unableToParse(error.message));
    throw error;
  }
}

const unableToParse = (why: string): string =>
  why.startsWith('field label not supported') || why.includes('selector') ? why : why;

function isSelectable({ kind }: ServedKind, field: string): boolean {
  if (field === 'metadata.name') return true;
  if (field === 'metadata.namespace') return kind.namespaced;
  return Object.hasOwn(kind.selectableFields ?? {}, field);
}

/** A resourceVersion parameter as a number; undefined if absent. @throws {ApiError} 400 */
export function versionParameter(query: URLSearchParams): number | undefined {
  const text = query.get('resourceVersion');
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw badRequest(
      `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  return Number(text);
}

/** Waits until the caches are as new as the request demands. @throws {ApiError} 504 */
export async function awaitVersion(storage: Storage, version: number | undefined): Promise<void> {
  if (version === undefined) return storage.consistent();
  if (version === 0) {
    // Anything will do, once there is anything.
    if (!(await storage.reached(1, catchUpLimit))) await storage.consistent();
    return;
  }
  if (!(await storage.reached(version, catchUpLimit))) throw tooLargeVersion(version, storage.revision);
}

function includeObject(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') || 'Metadata';
  if (value !== 'Metadata' && value !== 'None' && value !== 'Object')
    throw badRequest(
      `converting (url.Values) to (v1.TableOptions) failed: includeObject: Unsupported value: ${JSON.stringify(value)}`,
    );
  return value;
}

/** GET of one object. */
export async function get(storage: Storage, request: ResourceRequest): Promise<Answer> {
  const { served, info, accept } = request;
  await awaitVersion(storage, versionParameter(info.query));
  const entry = served.cache.get(storeKey(served, info.namespace, info.name));
  if (!entry) throw notFound(served.kind, info.name);
  return representObject(served.kind, entry.bytes, accept, {
    code: 200,
    include: includeObject(info.query),
    now: Date.now(),
  });
}

/** GET of a collection. */
export async function list(storage: Storage, request: ResourceRequest): Promise<Answer> {
  const { served, info, accept } = request;
  const filter = entryFilter(served, info.query);
  const include = includeObject(info.query);
  const page = info.query.get('continue')
    ? await pageFromContinue(storage, served, info, filter)
    : await firstPage(storage, request, filter);
  const facts: ListFacts = {
    resourceVersion: String(page.revision),
    ...(page.continue && { continue: page.continue }),
    ...(page.remaining !== undefined && { remainingItemCount: page.remaining }),
  };
  if (accept.representation === 'object' && accept.format === 'json')
    return { code: 200, contentType: 'application/json', body: listBytes(served.kind, page.entries, facts) };
  const objects = page.entries.map((entry) => entry.parse());
  if (accept.representation === 'table')
    return encode(
      200,
      table(served.kind, objects, facts, { include, now: Date.now(), definitions: true }),
      accept,
    );
  if (accept.representation !== 'object')
    return encode(
      200,
      {
        kind: 'PartialObjectMetadataList',
        apiVersion: 'meta.k8s.io/v1',
        metadata: facts,
        items: objects.map(partialMetadata),
      },
      accept,
    );
  return encode(200, JSON.parse(listBytes(served.kind, page.entries, facts).toString()), accept);
}

async function firstPage(storage: Storage, request: ResourceRequest, filter: EntryFilter): Promise<ListPage> {
  const { served, info } = request;
  const version = versionParameter(info.query);
  const match = info.query.get('resourceVersionMatch');
  if (match !== null && match !== '') {
    if (version === undefined)
      throw badRequest('resourceVersionMatch is forbidden unless resourceVersion is provided');
    if (match !== 'Exact' && match !== 'NotOlderThan')
      throw badRequest(
        `resourceVersionMatch: Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan"`,
      );
    if (match === 'Exact' && version === 0)
      throw badRequest('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
  const namespace = served.kind.namespaced && info.namespace ? info.namespace : undefined;
  // Without a match rule a limit asks for exactly this version, as it does in Kubernetes.
  const exact = match === 'Exact' || (!match && version && info.query.has('limit'));
  if (exact) return takePage({ storage, served, info, filter, at: version! });
  await awaitVersion(storage, version);
  return takePage({
    storage,
    served,
    info,
    filter,
    entries: served.cache.list(namespace),
    at: storage.revision,
  });
}
