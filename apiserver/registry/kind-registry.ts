import { apiVersionOf, type KubeObject } from '../../api/object.ts';
import type { ResourceCache } from '../storage/resource-cache.ts';
import type { Storage } from '../storage/storage.ts';
import type { KindDeclaration } from './kind.ts';

/** A kind with its place in the store. */
export interface ServedKind<T extends KubeObject = KubeObject> {
  kind: KindDeclaration<T>;
  /** Path below the storage prefix. */
  path: string;
  cache: ResourceCache;
}

/** The values of an object's selectable fields. */
export function selectableFieldsOf(kind: KindDeclaration, object: KubeObject): Record<string, string> {
  const fields: Record<string, string> = {
    'metadata.name': object.metadata?.name ?? '',
    'metadata.namespace': object.metadata?.namespace ?? '',
  };
  for (const [field, read] of Object.entries(kind.selectableFields ?? {})) fields[field] = read(object);
  return fields;
}

/** The kinds that are served, by group, version and plural. */
export class KindRegistry {
  readonly #storage: Storage;
  readonly #served = new Map<string, ServedKind>();
  readonly #virtual: KindDeclaration[] = [];

  constructor(storage: Storage, kinds: readonly KindDeclaration[]) {
    this.#storage = storage;
    for (const kind of kinds) this.#add(kind);
  }

  get(group: string, version: string, plural: string): ServedKind | undefined {
    return this.#served.get(`${group}/${version}/${plural}`);
  }

  /** A kind that is known to be built in. */
  builtIn(resource: { group: string; version: string; plural: string }): ServedKind {
    const served = this.get(resource.group, resource.version, resource.plural);
    if (!served) throw new TypeError(`no such kind: ${resource.plural}`);
    return served;
  }

  /** Whether an apiVersion and kind is served. Bound, so that it can be passed on. */
  readonly isKnown = (apiVersion: string, kind: string): boolean => {
    for (const item of this.declared())
      if (item.kind === kind && apiVersionOf(item) === apiVersion) return true;
    return false;
  };

  /** Every kind that discovery and OpenAPI describe: those in the store and those that are only answered. */
  declared(): KindDeclaration[] {
    return [...[...this.#served.values()].map(({ kind }) => kind), ...this.#virtual];
  }

  /** Adds kinds that are described but not stored. */
  declareVirtual(kinds: readonly KindDeclaration[]): void {
    this.#virtual.push(...kinds);
  }

  all(): ServedKind[] {
    return [...this.#served.values()];
  }

  #add(kind: KindDeclaration): void {
    const path = kind.storagePath ?? kind.plural;
    const cache = this.#storage.addResource(path, (object) => selectableFieldsOf(kind, object));
    this.#served.set(`${kind.group}/${kind.version}/${kind.plural}`, { kind, path, cache });
  }
}
