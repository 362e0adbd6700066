import type { KubeObject } from '../../api/object.ts';
import { withResourceVersion } from './encoding.ts';

/** What selectors look at. */
interface Selected {
  labels: Record<string, string> | undefined;
  fields: Record<string, string>;
}

export type FieldReader = (object: KubeObject) => Record<string, string>;

/**
 * One stored object at one revision. Keeps the bytes that clients see, and of the parsed object only what
 * selectors need: a parsed object is several times larger than its bytes.
 */
export class CacheEntry {
  /** `namespace/name`, or `name`. */
  readonly key: string;
  readonly revision: number;
  readonly bytes: Buffer;
  readonly #fieldsOf: FieldReader;
  #selected: Selected | undefined;
  #summaries: Map<unknown, unknown> | undefined;

  constructor(key: string, bytes: Buffer, revision: number, fieldsOf: FieldReader) {
    this.key = key;
    this.bytes = bytes;
    this.revision = revision;
    this.#fieldsOf = fieldsOf;
  }

  static fromStore(key: string, stored: Buffer, revision: number, fieldsOf: FieldReader): CacheEntry {
    return new CacheEntry(key, withResourceVersion(stored, revision), revision, fieldsOf);
  }

  /** A new copy of the object, the caller's to change. */
  parse<T extends KubeObject = KubeObject>(): T {
    return JSON.parse(this.bytes.toString()) as T;
  }

  /** What `read` says of the object, computed once for each `read` function. */
  summary<T>(read: (object: KubeObject) => T): T {
    this.#summaries ??= new Map();
    if (!this.#summaries.has(read)) this.#summaries.set(read, read(this.parse()));
    return this.#summaries.get(read) as T;
  }

  /** The same state under another revision: what watchers are told of an object that left their sight. */
  atRevision(revision: number): CacheEntry {
    // The first one in the bytes is the object's own: metadata comes first, and resourceVersion first in it.
    const old = `"resourceVersion":"${this.revision}"`;
    const at = this.bytes.indexOf(old);
    const bytes = Buffer.concat([
      this.bytes.subarray(0, at),
      Buffer.from(`"resourceVersion":"${revision}"`),
      this.bytes.subarray(at + old.length),
    ]);
    return new CacheEntry(this.key, bytes, revision, this.#fieldsOf);
  }

  get selected(): Selected {
    if (!this.#selected) {
      const object = this.parse();
      this.#selected = { labels: object.metadata?.labels, fields: this.#fieldsOf(object) };
    }
    return this.#selected;
  }
}
