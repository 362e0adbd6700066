import type { Input } from '../../api/etcd/codec.ts';
import {
  FilterType,
  type WatchCreateRequest,
  type WatchRequest,
  type WatchResponse,
} from '../../api/etcd/messages.ts';
import type { BidiStream } from '../grpc/service.ts';
import type { WatchEvent } from './event.ts';
import type { WatchHub } from './hub.ts';
import { eventsFrame, sharedEvents } from './shared-events.ts';
import { Watcher, type WatchSink } from './watcher.ts';

export interface WatchStreamOptions {
  hub: WatchHub;
  stream: BidiStream<WatchRequest, WatchResponse>;
  /** The header of a response now; the same object until the revision moves on. */
  header: () => Input<WatchResponse['header'] & object>;
  revision: () => number;
  /** Responses for watches with `fragment` are cut into pieces of at most so many bytes. */
  fragmentBytes: number;
}

/** Revisions are put together in one response up to this size; clients of grpc-js refuse 4 MiB. */
const responseBytes = 1024 * 1024;
const noWatch = -1;

/**
 * The watches of one gRPC stream. Responses leave in the order in which they are made.
 */
export class WatchStream implements WatchSink {
  private readonly options: WatchStreamOptions;
  private readonly watchers = new Map<number, Watcher>();
  private nextId = 0;
  private writable = true;
  private progressWanted = false;

  constructor(options: WatchStreamOptions) {
    this.options = options;
    const { stream, hub } = options;
    stream.onMessage((request) => this.receive(request));
    stream.onEnd(() => {
      this.close();
      stream.end();
    });
    stream.onCancel(() => this.close());
    stream.onDrain(() => {
      this.writable = true;
      hub.catchUp();
    });
  }

  get ready(): boolean {
    return this.writable;
  }

  private write(response: Input<WatchResponse>): void {
    if (!this.options.stream.write(response)) this.writable = false;
  }

  private receive({ create_request, cancel_request, progress_request }: WatchRequest): void {
    if (create_request) this.create(create_request);
    else if (cancel_request) this.cancel(cancel_request.watch_id);
    else if (progress_request) {
      this.progressWanted = true;
      this.reportProgress();
    }
  }

  private create(request: WatchCreateRequest): void {
    const from = request.key.length === 0 ? '\0' : request.key.toString('latin1');
    const end = request.range_end;
    const everything = end.length === 1 && end[0] === 0;
    const to = end.length === 0 ? `${from}\0` : everything ? undefined : end.toString('latin1');
    const header = this.options.header();
    const refuse = (reason: string) =>
      this.write({ header, watch_id: noWatch, created: true, canceled: true, cancel_reason: reason });
    if (to !== undefined && from >= to) {
      refuse('mvcc: watcher range is empty');
      return;
    }
    if (request.watch_id !== 0 && this.watchers.has(request.watch_id)) {
      refuse('mvcc: duplicate watch ID provided on the WatchStream');
      return;
    }
    const id = request.watch_id || this.freeId();
    const watcher = new Watcher({
      id,
      from,
      to,
      startRevision: request.start_revision > 0 ? request.start_revision : this.options.revision() + 1,
      previous: request.prev_kv,
      skipPuts: request.filters.includes(FilterType.noput),
      skipDeletes: request.filters.includes(FilterType.nodelete),
      progressNotify: request.progress_notify,
      fragment: request.fragment,
      sink: this,
    });
    this.watchers.set(id, watcher);
    this.write({ header, watch_id: id, created: true });
    this.options.hub.add(watcher);
  }

  private freeId(): number {
    while (this.watchers.has(this.nextId)) this.nextId++;
    return this.nextId++;
  }

  private cancel(id: number): void {
    const watcher = this.watchers.get(id);
    if (!watcher) return;
    this.watchers.delete(id);
    this.options.hub.remove(watcher);
    this.write({ header: this.options.header(), watch_id: id, canceled: true });
    this.reportProgress();
  }

  send(watcher: Watcher, events: readonly WatchEvent[]): void {
    watcher.quiet = false;
    const shared = sharedEvents(events, watcher.previous);
    const limit = Math.min(responseBytes, this.options.fragmentBytes);
    if (shared.length <= limit) {
      const frame = eventsFrame(this.options.header(), watcher.idField, shared);
      if (!this.options.stream.writeFrame(frame)) this.writable = false;
      return;
    }
    let pending: Buffer[] = [];
    let size = 0;
    const flush = () => {
      if (watcher.fragment && size > this.options.fragmentBytes) this.sendFragments(watcher, pending);
      else this.sendResponse(watcher, pending);
    };
    for (let at = 0; at < events.length; ) {
      const { revision } = events[at]!;
      const together: Buffer[] = [];
      let bytes = 0;
      for (; at < events.length && events[at]!.revision === revision; at++) {
        const encoded = events[at]!.encode(watcher.previous);
        together.push(encoded);
        bytes += encoded.length;
      }
      if (pending.length > 0 && size + bytes > limit) {
        flush();
        pending = [];
        size = 0;
      }
      pending = pending.length === 0 ? together : pending.concat(together);
      size += bytes;
    }
    flush();
  }

  private sendResponse(watcher: Watcher, events: readonly Buffer[], fragment = false): void {
    this.write({ header: this.options.header(), watch_id: watcher.id, events, fragment });
  }

  private sendFragments(watcher: Watcher, events: readonly Buffer[]): void {
    let piece: Buffer[] = [];
    let size = 0;
    for (const event of events) {
      if (piece.length > 0 && size + event.length > this.options.fragmentBytes) {
        this.sendResponse(watcher, piece, true);
        piece = [];
        size = 0;
      }
      piece.push(event);
      size += event.length;
    }
    this.sendResponse(watcher, piece);
  }

  compacted(watcher: Watcher, compactRevision: number): void {
    this.watchers.delete(watcher.id);
    this.write({
      header: this.options.header(),
      watch_id: watcher.id,
      canceled: true,
      compact_revision: compactRevision,
    });
    this.reportProgress();
  }

  synced(): void {
    this.reportProgress();
  }

  /** Answers a progress request once all watches of the stream have everything up to the revision reported. */
  private reportProgress(): void {
    if (!this.progressWanted) return;
    this.options.hub.flush();
    // Sending what was held back may have found the client too slow.
    if (!this.progressWanted) return;
    for (const watcher of this.watchers.values()) if (this.options.hub.isLate(watcher)) return;
    this.progressWanted = false;
    this.write({ header: this.options.header(), watch_id: noWatch });
  }

  /** Tells watches that asked for it and had no event for a while how far they are. */
  notifyProgress(): void {
    this.options.hub.flush();
    for (const watcher of this.watchers.values()) {
      if (watcher.progressNotify && watcher.quiet && this.ready && !this.options.hub.isLate(watcher))
        this.write({ header: this.options.header(), watch_id: watcher.id });
      watcher.quiet = true;
    }
  }

  private close(): void {
    for (const watcher of this.watchers.values()) this.options.hub.remove(watcher);
    this.watchers.clear();
  }
}
