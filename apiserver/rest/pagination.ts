import type { ServedKind } from '../registry/kind-registry.ts';
import type { CacheEntry } from '../storage/cache-entry.ts';
import { EtcdError, GrpcCode, isCompacted } from '../storage/etcd-error.ts';
import type { Storage } from '../storage/storage.ts';
import { badRequest, expired, tooLargeVersion } from './api-error.ts';
import type { EntryFilter } from './read-handlers.ts';
import type { RequestInfo } from './request-info.ts';

/** A part of a list and where it goes on. */
export interface ListPage {
  entries: CacheEntry[];
  revision: number;
  continue?: string;
  remaining?: number;
}

interface Token {
  v: 'meta.k8s.io/v1';
  /** Revision of the list; -1 to go on at the newest one. */
  rv: number;
  /** The first key of the next page. */
  start: string;
}

const tooOld =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';

const encodeToken = (rv: number, start: string): string =>
  Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv, start } satisfies Token)).toString('base64url');

function decodeToken(text: string): Token {
  try {
    const token = JSON.parse(Buffer.from(text, 'base64url').toString()) as Token;
    if (token.v === 'meta.k8s.io/v1' && Number.isInteger(token.rv) && typeof token.start === 'string')
      return token;
  } catch {
    // Not one of ours: answered below.
  }
  throw badRequest(
    'continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)',
  );
}

function limitOf(info: RequestInfo): number {
  const text = info.query.get('limit');
  if (!text) return 0;
  if (!/^-?\d{1,15}$/.test(text))
    throw badRequest(
      `converting (url.Values) to (internalversion.ListOptions) failed: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  return Math.max(0, Number(text));
}

interface PageRequest {
  storage: Storage;
  served: ServedKind;
  info: RequestInfo;
  filter: EntryFilter;
  /** The list at revision `at`, if it is at hand; it is read from the store otherwise. */
  entries?: CacheEntry[];
  at: number;
  /** Key to start from. */
  start?: string;
}

/** The next page of a list at one revision. @throws {ApiError} 410 if that revision is gone */
export async function takePage(request: PageRequest): Promise<ListPage> {
  const { info, filter, at, start } = request;
  const limit = limitOf(info);
  let entries = request.entries ?? (await entriesAt(request));
  if (start !== undefined) entries = entries.filter((entry) => entry.key >= start);
  if (!limit) return { entries: filter ? entries.filter(filter) : entries, revision: at };
  const taken: CacheEntry[] = [];
  let index = 0;
  for (; index < entries.length && taken.length < limit; index++) {
    const entry = entries[index]!;
    if (!filter || filter(entry)) taken.push(entry);
  }
  const next = filter ? entries.findIndex((entry, position) => position >= index && filter(entry)) : index;
  if (next < 0 || next >= entries.length) return { entries: taken, revision: at };
  return {
    entries: taken,
    revision: at,
    continue: encodeToken(at, entries[next]!.key),
    // With a selector the rest is not counted, as in Kubernetes.
    ...(!filter && { remaining: entries.length - index }),
  };
}

async function entriesAt({ storage, served, info, at, start }: PageRequest): Promise<CacheEntry[]> {
  const namespace = served.kind.namespaced && info.namespace ? info.namespace : undefined;
  if (at > storage.revision && !(await storage.reached(at, 3_000)))
    throw tooLargeVersion(at, storage.revision);
  try {
    // Unchanged since: what is at hand is the list at that revision too.
    if (served.cache.unchangedSince(at)) return served.cache.list(namespace);
    return await storage.listAt(served.path, namespace ? `${namespace}/` : '', at);
  } catch (error) {
    if (isCompacted(error)) throw expired(tooOld, start === undefined ? undefined : encodeToken(-1, start));
    if (error instanceof EtcdError && error.code === GrpcCode.outOfRange)
      throw tooLargeVersion(at, storage.revision);
    throw error;
  }
}

/** The page that a `continue` token names. */
export async function pageFromContinue(
  storage: Storage,
  served: ServedKind,
  info: RequestInfo,
  filter: EntryFilter,
): Promise<ListPage> {
  const token = decodeToken(info.query.get('continue')!);
  const version = info.query.get('resourceVersion');
  if (version && version !== '0')
    throw badRequest('specifying resource version is not allowed when using continue');
  if (token.rv > 0) return takePage({ storage, served, info, filter, at: token.rv, start: token.start });
  await storage.consistent();
  const namespace = served.kind.namespaced && info.namespace ? info.namespace : undefined;
  const entries = served.cache.list(namespace);
  return takePage({ storage, served, info, filter, entries, at: storage.revision, start: token.start });
}
