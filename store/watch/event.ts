import { Event, EventType } from '../../api/etcd/messages.ts';

/** One change as watchers see it; each of its encodings is made once, however many watchers get it. */
export class WatchEvent {
  readonly key: string;
  readonly revision: number;
  readonly deleted: boolean;
  /** The KeyValue's bytes; of a deletion, with the revision of the deletion. */
  private readonly kv: Buffer;
  private readonly readPrevious: () => Buffer | undefined;
  private plain: Buffer | undefined;
  private withPrevious: Buffer | undefined;

  constructor(options: {
    key: string;
    revision: number;
    deleted: boolean;
    kv: Buffer;
    /** The KeyValue's bytes before the change, when there was one and it is not compacted. */
    readPrevious: () => Buffer | undefined;
  }) {
    this.key = options.key;
    this.revision = options.revision;
    this.deleted = options.deleted;
    this.kv = options.kv;
    this.readPrevious = options.readPrevious;
  }

  encode(withPrevious: boolean): Buffer {
    const type = this.deleted ? EventType.delete : EventType.put;
    if (!withPrevious) {
      this.plain ??= Event.encode({ type, kv: this.kv });
      return this.plain;
    }
    this.withPrevious ??= Event.encode({ type, kv: this.kv, prev_kv: this.readPrevious() });
    return this.withPrevious;
  }
}
