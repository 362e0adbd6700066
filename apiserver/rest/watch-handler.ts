import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { apiVersionOf } from '../../api/object.ts';
import type { CacheEntry } from '../storage/cache-entry.ts';
import type { CacheWatcher } from '../storage/resource-cache.ts';
import type { Storage } from '../storage/storage.ts';
import { type ChangeEvent, type ChangeType, eventLine } from '../storage/watch-event.ts';
import { badRequest, expired, invalid } from './api-error.ts';
import { awaitVersion, type EntryFilter, entryFilter, versionParameter } from './read-handlers.ts';
import { partialMetadata, table } from './represent.ts';
import type { ResourceRequest } from './request-context.ts';

const bookmarkInterval = 60_000;
/** Milliseconds that a client gets to take the end of its stream when the server stops. */
const flushLimit = 1_000;
const shortestTimeout = 1_800;
/** A watcher that lets this much pile up is cut off: it resumes from its last resourceVersion. */
const backlogLimit = 64 * 1024 * 1024;

const isTrue = (value: string | null): boolean => value !== null && /^(true|1|t|)$/i.test(value);

/** One open watch: turns changes into lines of one client's stream. */
class WatchStream implements CacheWatcher {
  readonly #request: ResourceRequest;
  readonly #response: ServerResponse;
  readonly #filter: EntryFilter;
  readonly #bookmarks: boolean;
  /** Everything up to here has been sent. */
  #revision: number;
  #headerSent = false;
  #over = false;

  constructor(options: {
    request: ResourceRequest;
    response: ServerResponse;
    filter: EntryFilter;
    revision: number;
  }) {
    this.#request = options.request;
    this.#response = options.response;
    this.#filter = options.filter;
    this.#revision = options.revision;
    this.#bookmarks = isTrue(options.request.info.query.get('allowWatchBookmarks'));
  }

  event(event: ChangeEvent): void {
    if (event.revision <= this.#revision) return;
    this.#revision = event.revision;
    const { type, entry, previous } = event;
    const now = type !== 'DELETED' && this.#selects(entry);
    const before = !!previous && this.#selects(previous);
    if (now) this.#send(event, before ? 'MODIFIED' : 'ADDED', entry);
    else if (before)
      this.#send(event, 'DELETED', type === 'DELETED' ? entry : previous.atRevision(event.revision));
  }

  /** The objects that exist when the watch begins. */
  initial(entries: readonly CacheEntry[]): void {
    for (const entry of entries)
      if (this.#selects(entry)) this.#write(this.#encode('ADDED', entry, !this.#headerSent));
  }

  progress(revision: number): void {
    if (!this.#bookmarks || revision < this.#revision) return;
    this.#revision = revision;
    this.bookmark(revision);
  }

  bookmark(revision: number, annotations?: Record<string, string>): void {
    const { kind } = this.#request.served;
    const metadata = {
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(annotations && { annotations }),
    };
    const object =
      this.#request.accept.representation === 'table'
        ? {
            kind: 'Table',
            apiVersion: 'meta.k8s.io/v1',
            metadata: { resourceVersion: String(revision) },
            columnDefinitions: null,
            rows: [
              {
                cells: null,
                object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata },
              },
            ],
          }
        : this.#request.accept.representation === 'object'
          ? { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata }
          : { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
    this.#write(Buffer.from(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`));
  }

  expired(): void {
    const { status } = expired('too old resource version: the watch cache was reloaded');
    this.#write(Buffer.from(`${JSON.stringify({ type: 'ERROR', object: status })}\n`));
    this.end();
  }

  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#response.end();
  }

  /** Ends the stream and its connection; `closed` is called when the client has taken all of it and hung up too. */
  hangUp(closed: () => void): void {
    const { socket } = this.#response;
    if (this.#over || !socket) {
      closed();
      return;
    }
    this.#over = true;
    socket.once('close', closed);
    this.#response.end(() => socket.end());
  }

  #selects(entry: CacheEntry): boolean {
    const { info, served } = this.#request;
    if (served.kind.namespaced && info.namespace && !entry.key.startsWith(`${info.namespace}/`)) return false;
    if (info.name && entry.key !== (served.kind.namespaced ? `${info.namespace}/${info.name}` : info.name))
      return false;
    return !this.#filter || this.#filter(entry);
  }

  #send(event: ChangeEvent, type: ChangeType, entry: CacheEntry): void {
    const { representation } = this.#request.accept;
    // A table's columns are described once a stream, so a stream's first line is its own.
    if (representation === 'table' && !this.#headerSent) this.#write(this.#encode(type, entry, true));
    else {
      const include = this.#request.info.query.get('includeObject') ?? '';
      this.#write(event.encoded(representation + include, type, () => this.#encode(type, entry, false)));
    }
  }

  #encode(type: ChangeType, entry: CacheEntry, header: boolean): Buffer {
    const { accept, served, info } = this.#request;
    if (accept.representation === 'object') return eventLine(type, entry.bytes);
    const object = entry.parse();
    if (accept.representation === 'table') {
      this.#headerSent = true;
      const include = info.query.get('includeObject');
      const shown = table(
        served.kind,
        [object],
        { resourceVersion: String(entry.revision) },
        {
          include: include === 'None' || include === 'Object' ? include : 'Metadata',
          now: Date.now(),
          definitions: header,
        },
      );
      return eventLine(type, Buffer.from(JSON.stringify(shown)));
    }
    return eventLine(type, Buffer.from(JSON.stringify(partialMetadata(object))));
  }

  #write(line: Buffer): void {
    if (this.#over) return;
    this.#response.write(line);
    if (this.#response.writableLength > backlogLimit) {
      this.#over = true;
      this.#response.destroy();
    }
  }
}

/** Open watches, so that bookmarks and a stop reach all of them. */
export class WatchServer {
  readonly #storage: Storage;
  readonly #open = new Set<WatchStream>();
  readonly #timer: NodeJS.Timeout;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#timer = setInterval(() => {
      const { revision } = this.#storage;
      for (const stream of this.#open) stream.progress(revision);
    }, bookmarkInterval);
    this.#timer.unref();
  }

  get count(): number {
    return this.#open.size;
  }

  /** Ends all watches, as clients expect of a server that goes away; resolves when they have been told. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const told = [...this.#open].map((stream) => new Promise<void>((resolve) => stream.hangUp(resolve)));
    const patience = new AbortController();
    await Promise.race([
      Promise.all(told),
      delay(flushLimit, undefined, { signal: patience.signal }).catch(() => {}),
    ]);
    patience.abort();
  }

  /** Serves one watch until the client or the time limit ends it. @throws {ApiError} before anything is sent */
  async serve(request: ResourceRequest, begin: () => ServerResponse): Promise<void> {
    const { served, info } = request;
    const filter = entryFilter(served, info.query);
    const version = versionParameter(info.query);
    const initialEvents = info.query.get('sendInitialEvents');
    if (initialEvents !== null && info.query.get('resourceVersionMatch') !== 'NotOlderThan')
      throw invalid({ group: 'meta.k8s.io', plural: 'listoptions', kind: 'ListOptions' }, '', [
        {
          reason: 'FieldValueForbidden',
          field: 'resourceVersionMatch',
          message: 'Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
        },
      ]);
    if (initialEvents === null && info.query.get('resourceVersionMatch'))
      throw invalid({ group: 'meta.k8s.io', plural: 'listoptions', kind: 'ListOptions' }, '', [
        {
          reason: 'FieldValueForbidden',
          field: 'resourceVersionMatch',
          message:
            'Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
        },
      ]);
    const seconds = timeoutOf(info.query);
    const streaming = isTrue(initialEvents);
    const fromNow = version === undefined || version === 0;
    const snapshot = initialEvents === null ? fromNow : streaming;
    if (fromNow || streaming) await awaitVersion(this.#storage, version);
    const revision = snapshot || fromNow ? this.#storage.revision : version;

    if (!served.cache.canReplay(revision))
      throw expired(`too old resource version: ${revision} (${served.cache.oldest})`);
    const response = begin();
    const stream = new WatchStream({ request, response, filter, revision });
    if (snapshot) {
      const namespace = served.kind.namespaced && info.namespace ? info.namespace : undefined;
      stream.initial(served.cache.list(namespace));
      if (streaming) stream.bookmark(revision, { 'k8s.io/initial-events-end': 'true' });
    }
    const unsubscribe = served.cache.subscribe(stream, revision);
    this.#open.add(stream);
    const timer = setTimeout(() => stream.end(), seconds * 1000);
    timer.unref();
    response.once('close', () => {
      clearTimeout(timer);
      unsubscribe();
      this.#open.delete(stream);
    });
  }
}

function timeoutOf(query: URLSearchParams): number {
  const text = query.get('timeoutSeconds');
  if (text && !/^-?\d{1,15}$/.test(text))
    throw badRequest(
      `converting (url.Values) to (internalversion.ListOptions) failed: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  const seconds = Number(text ?? 0);
  if (seconds > 0) return Math.min(seconds, 2_000_000);
  // Spread, so that clients that came together do not come back together.
  return shortestTimeout * (1 + Math.random());
}
