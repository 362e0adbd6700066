/** Own writes that the informer has not shown within this time are taken as lost. Milliseconds. */
export const expectationsTimeout = 5 * 60_000;

interface Expected {
  creations: number;
  /** Keys of the objects whose deletion is to be seen. */
  deletions: Set<string>;
  since: number;
}

/**
 * Remembers own creations and deletions until the informer has shown them, so that a controller never acts
 * twice on a copy that does not hold its own writes yet.
 *
 * Rule: announce with `expect…` before the write; take back with `…Failed` if the write fails; the informer's
 * handlers call `…Observed`. As long as `pending` is not 0 for an owner, do not create or delete for it.
 */
export class Expectations {
  readonly #owners = new Map<string, Expected>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Milliseconds to wait at most before the owner may be worked on; 0 if nothing is outstanding. */
  pending(owner: string): number {
    const expected = this.#owners.get(owner);
    if (!expected) return 0;
    const left = expected.since + expectationsTimeout - this.#now();
    if (left > 0) return left;
    this.#owners.delete(owner);
    return 0;
  }

  expectCreations(owner: string, count: number): void {
    if (count > 0) this.#of(owner).creations += count;
  }

  expectDeletion(owner: string, key: string): void {
    this.#of(owner).deletions.add(key);
  }

  creationObserved(owner: string): void {
    const expected = this.#owners.get(owner);
    if (!expected || expected.creations === 0) return;
    expected.creations--;
    this.#clean(owner, expected);
  }

  /** Also for a creation that will not be tried any more. */
  creationFailed(owner: string, count = 1): void {
    for (let i = 0; i < count; i++) this.creationObserved(owner);
  }

  deletionObserved(owner: string, key: string): void {
    const expected = this.#owners.get(owner);
    if (!expected?.deletions.delete(key)) return;
    this.#clean(owner, expected);
  }

  /** The owner is gone. */
  forget(owner: string): void {
    this.#owners.delete(owner);
  }

  #of(owner: string): Expected {
    let expected = this.#owners.get(owner);
    if (!expected) {
      expected = { creations: 0, deletions: new Set(), since: this.#now() };
      this.#owners.set(owner, expected);
    }
    expected.since = this.#now();
    return expected;
  }

  #clean(owner: string, expected: Expected): void {
    if (expected.creations === 0 && expected.deletions.size === 0) this.#owners.delete(owner);
  }
}
