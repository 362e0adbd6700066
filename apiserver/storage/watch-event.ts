import type { CacheEntry } from './cache-entry.ts';

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

/**
 * One change of one object as all watchers of its resource share it. Every representation of it (plain JSON, a
 * table row, metadata only) is encoded at most once, whoever asks first.
 */
export class ChangeEvent {
  readonly type: ChangeType;
  /** The object after the change; for a deletion its last state, at the deletion's revision. */
  readonly entry: CacheEntry;
  /** The object before the change. */
  readonly previous: CacheEntry | undefined;
  readonly #encoded = new Map<string, Buffer>();

  constructor(type: ChangeType, entry: CacheEntry, previous: CacheEntry | undefined) {
    this.type = type;
    this.entry = entry;
    this.previous = previous;
  }

  get revision(): number {
    return this.entry.revision;
  }

  /** The line for one type and representation, encoded by the first that needs it. */
  encoded(representation: string, type: ChangeType, encode: () => Buffer): Buffer {
    const key = type + representation;
    let bytes = this.#encoded.get(key);
    if (!bytes) {
      bytes = encode();
      this.#encoded.set(key, bytes);
    }
    return bytes;
  }
}

const open: Record<ChangeType, Buffer> = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
};
const close = Buffer.from('}\n');

/** One line of a watch stream. */
export const eventLine = (type: ChangeType, object: Buffer): Buffer =>
  Buffer.concat([open[type], object, close]);
