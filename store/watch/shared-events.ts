import type { Input } from '../../api/etcd/codec.ts';
import { WatchResponse } from '../../api/etcd/messages.ts';
import { type Frame, frameHeaderSize } from '../grpc/frames.ts';
import type { WatchEvent } from './event.ts';

type Header = Input<WatchResponse['header'] & object>;

const encodings = new WeakMap<readonly WatchEvent[], { plain?: Buffer; withPrevious?: Buffer }>();
const headers = new WeakMap<object, Buffer>();

/** The `events` field of a response. All watchers of a key range are sent the same list, so it is encoded once. */
export function sharedEvents(events: readonly WatchEvent[], previous: boolean): Buffer {
  let known = encodings.get(events);
  if (!known) {
    known = {};
    encodings.set(events, known);
  }
  const name = previous ? 'withPrevious' : 'plain';
  known[name] ??= WatchResponse.encode({ events: events.map((event) => event.encode(previous)) });
  return known[name];
}

/** The `watch_id` field of a response; nothing for watch 0. */
export function watchIdField(id: number): Buffer {
  return WatchResponse.encode({ watch_id: id });
}

/**
 * The frame of a response with shared events, in parts, for a header object that is the same until the revision
 * moves on. With a thousand watchers this is most of what an event costs, so what is the same for all is encoded
 * once: fields may stand in any order, and only the watch's id differs.
 */
export function eventsFrame(header: Header, idField: Buffer, events: Buffer): Frame {
  let head = headers.get(header);
  if (!head) {
    head = WatchResponse.encode({ header });
    headers.set(header, head);
  }
  const first = Buffer.allocUnsafe(frameHeaderSize + idField.length);
  first.set(idField, frameHeaderSize);
  return [first, head, events];
}
