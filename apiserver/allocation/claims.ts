import { randomUUID } from 'node:crypto';
import type { KubeObject } from '../../api/object.ts';
import type { ResourceCache } from '../storage/resource-cache.ts';
import type { Storage } from '../storage/storage.ts';

/** Who holds a claim. */
export interface Owner {
  namespace: string;
  name: string;
}

interface ClaimObject extends KubeObject {
  spec: { parentRef: { group: string; resource: string; namespace: string; name: string } };
}

/**
 * Exclusive claims on numbers of a range (addresses, ports): each is one key in the store, and whoever creates the
 * key has the claim. So two servers can allocate at once without a shared bitmap to fight over.
 */
export class Claims {
  readonly #storage: Storage;
  readonly #path: string;
  readonly #kind: { apiVersion: string; kind: string };
  readonly #cache: ResourceCache;

  constructor(storage: Storage, path: string, kind: { apiVersion: string; kind: string }) {
    this.#storage = storage;
    this.#path = path;
    this.#kind = kind;
    this.#cache = storage.addResource(path, () => ({}));
  }

  /** Whether the claim is taken, as far as is known here. */
  isTaken(key: string): boolean {
    return this.#cache.get(key) !== undefined;
  }

  /** Takes a claim; false if somebody has it. */
  async take(key: string, { namespace, name }: Owner): Promise<boolean> {
    const claim: ClaimObject = {
      ...this.#kind,
      metadata: {
        name: key,
        uid: randomUUID(),
        creationTimestamp: `${new Date().toISOString().slice(0, 19)}Z`,
      },
      spec: { parentRef: { group: '', resource: 'services', namespace, name } },
    };
    return (await this.#storage.create(this.#path, key, claim)) !== undefined;
  }

  /** Gives a claim back, if `owner` has it. */
  async release(key: string, owner: Owner): Promise<void> {
    await this.#storage.update(this.#path, key, (current) => {
      const parent = current?.parse<ClaimObject>().spec.parentRef;
      return parent?.namespace === owner.namespace && parent.name === owner.name ? 'delete' : 'keep';
    });
  }

  /** All claims as they are known here. */
  all(): { key: string; owner: Owner; created: number }[] {
    return this.#cache.list().map((entry) => {
      const claim = entry.parse<ClaimObject>();
      const { namespace, name } = claim.spec.parentRef;
      return {
        key: entry.key,
        owner: { namespace, name },
        created: Date.parse(claim.metadata?.creationTimestamp ?? ''),
      };
    });
  }
}
