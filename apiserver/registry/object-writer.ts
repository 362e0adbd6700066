import { randomInt, randomUUID } from 'node:crypto';
import { recordUpdate } from '../../api/apply/apply.ts';
import { apiVersionOf, type KubeObject } from '../../api/object.ts';
import { schemaOf } from '../../api/schema/kubernetes.ts';
import type { DeleteOptions, ObjectMeta } from '../../api/types/meta-v1.ts';
import {
  alreadyExists,
  badRequest,
  conflict,
  invalid,
  methodNotAllowed,
  notFound,
  optimisticLock,
} from '../rest/api-error.ts';
import type { User } from '../rest/request-context.ts';
import type { CacheEntry } from '../storage/cache-entry.ts';
import { encodeForStore, withResourceVersion } from '../storage/encoding.ts';
import type { Decision, Storage, Written } from '../storage/storage.ts';
import { planDeletion } from './deletion.ts';
import type { StrategyContext } from './kind.ts';
import type { ServedKind } from './kind-registry.ts';

/** Admission as the writer sees it: may change `object` in place, throws {@link ApiError} to refuse. */
export interface Admission {
  admit(attributes: AdmissionAttributes): Promise<void> | void;
}

export interface AdmissionAttributes {
  operation: 'CREATE' | 'UPDATE' | 'DELETE';
  served: ServedKind;
  subresource: string;
  namespace: string;
  name: string;
  object: KubeObject | undefined;
  oldObject: KubeObject | undefined;
  user: User;
  dryRun: boolean;
}

/** Resources that an object holds outside itself (cluster IPs), taken before it is stored. */
export interface Allocator {
  /** Carries over what an update leaves out, before validation; in place. */
  prepare(served: ServedKind, next: KubeObject, previous: KubeObject): void;
  /** Takes what `next` needs. The result gives back what was newly taken, for when the write fails. */
  allocate(
    served: ServedKind,
    next: KubeObject,
    previous: KubeObject | undefined,
    dryRun: boolean,
  ): Promise<(() => Promise<void>) | undefined>;
  /** Gives back what `previous` held and `next` (absent: deleted) does not. */
  release(served: ServedKind, previous: KubeObject, next: KubeObject | undefined): Promise<void>;
}

export interface WriteOptions {
  user: User;
  dryRun: boolean;
  /** Who manages the fields that an update changes, if the object has been applied. */
  manager?: string;
  /** The new state comes from an apply, which has recorded the managers itself. */
  isApply?: boolean;
  /** Advice to the client is added here. */
  warnings?: string[];
}

/** What a write answers with. */
export interface WriteResult {
  bytes: Buffer;
  created: boolean;
}

const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';
const generateAttempts = 8;

function randomSuffix(): string {
  let text = '';
  for (let i = 0; i < 5; i++) text += suffixAlphabet[randomInt(suffixAlphabet.length)];
  return text;
}

/** The key below the kind's path. */
export const storeKey = (served: ServedKind, namespace: string, name: string): string =>
  served.kind.namespaced ? `${namespace}/${name}` : name;

const rfc3339 = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;

/**
 * Creates, changes and deletes objects of any kind by its declaration.
 *
 * Invariant: what is stored has passed defaulting, admission and validation against exactly the state it
 * replaces.
 */
export class ObjectWriter {
  readonly #storage: Storage;
  readonly #admission: Admission;
  readonly #allocator: Allocator;

  constructor(options: { storage: Storage; admission: Admission; allocator: Allocator }) {
    this.#storage = options.storage;
    this.#admission = options.admission;
    this.#allocator = options.allocator;
  }

  async create(
    served: ServedKind,
    namespace: string,
    object: KubeObject,
    options: WriteOptions,
  ): Promise<WriteResult> {
    const { kind } = served;
    const meta = this.#claim(served, namespace, object);
    const generated = !meta.name && !!meta.generateName;
    for (let attempt = 1; ; attempt++) {
      const candidate = generated && attempt < generateAttempts ? structuredClone(object) : object;
      const name = generated ? `${meta.generateName!.slice(0, 58)}${randomSuffix()}` : (meta.name ?? '');
      candidate.metadata!.name = name;
      const written = await this.#createOnce(served, namespace, candidate, options);
      if (written) return { bytes: written.bytes, created: true };
      if (!generated || attempt === generateAttempts) throw alreadyExists(kind, name);
    }
  }

  /** Checks and completes what every new object says about itself. */
  #claim(served: ServedKind, namespace: string, object: KubeObject): ObjectMeta {
    const { kind } = served;
    object.metadata ??= {};
    const meta = object.metadata;
    if (kind.namespaced) {
      if (meta.namespace && meta.namespace !== namespace)
        throw badRequest(
          'the namespace of the provided object does not match the namespace sent on the request',
        );
      meta.namespace = namespace;
    } else if (meta.namespace) {
      throw badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      );
    }
    if (meta.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
    return meta;
  }

  async #createOnce(
    served: ServedKind,
    namespace: string,
    object: KubeObject,
    options: WriteOptions,
  ): Promise<Written | undefined> {
    const { kind } = served;
    const now = Date.now();
    const meta = object.metadata!;
    const name = meta.name!;
    await this.#admission.admit({
      operation: 'CREATE',
      served,
      subresource: '',
      namespace,
      name,
      object,
      oldObject: undefined,
      user: options.user,
      dryRun: options.dryRun,
    });
    kind.defaults?.(object);
    meta.uid = randomUUID();
    meta.creationTimestamp = rfc3339(now);
    delete meta.deletionTimestamp;
    delete meta.deletionGracePeriodSeconds;
    delete meta.selfLink;
    delete meta.generation;
    if (!options.isApply) delete meta.managedFields;
    kind.prepareForCreate?.(object, this.#context(now, options.user));
    const errors = kind.validate?.(object) ?? [];
    if (errors.length) throw invalid(kind, name, errors);
    if (options.warnings && kind.warnings) options.warnings.push(...kind.warnings(object));
    const undo = await this.#allocator.allocate(served, object, undefined, options.dryRun);
    try {
      if (options.dryRun) {
        if (await this.#storage.read(served.path, storeKey(served, namespace, name))) return undefined;
        return { bytes: encodeForStore(object), revision: 0, changed: true };
      }
      const key = storeKey(served, namespace, name);
      const written = await this.#storage.create(served.path, key, object, kind.ttlSeconds);
      if (!written) await undo?.();
      return written;
    } catch (error) {
      await undo?.();
      throw error;
    }
  }

  /**
   * Replaces an object by what `change` makes of its current state (its own copy, to be changed and returned).
   * `change` may be called several times. Creates the object if the kind allows that and `create` gives one.
   */
  async update(
    served: ServedKind,
    key: { namespace: string; name: string; subresource: string },
    change: (current: KubeObject) => KubeObject | Promise<KubeObject>,
    options: WriteOptions,
  ): Promise<WriteResult> {
    const { kind } = served;
    let undo: (() => Promise<void>) | undefined;
    let previous: KubeObject | undefined;
    let next: KubeObject | undefined;
    const decide = async (current: CacheEntry | undefined): Promise<Decision> => {
      await undo?.();
      undo = undefined;
      if (!current) throw notFound(kind, key.name);
      previous = current.parse();
      next = await change(current.parse());
      await this.#prepareUpdate(served, key, next, previous, options);
      undo = await this.#allocator.allocate(served, next, previous, options.dryRun);
      return this.#storeOrRemove(served, next);
    };
    try {
      const result = await this.#carryOut(served, key, decide, () => next!, options.dryRun);
      if (!options.dryRun) await this.#allocator.release(served, previous!, next!);
      return { bytes: result, created: false };
    } catch (error) {
      await undo?.();
      throw error;
    }
  }

  /**
   * Changes an object in place past its kind's update rules: for subresources that have their own (`binding`,
   * `finalize`). `change` may be called several times.
   */
  async change(
    served: ServedKind,
    key: { namespace: string; name: string; subresource: string },
    change: (current: KubeObject) => void,
    options: WriteOptions,
  ): Promise<WriteResult> {
    let next: KubeObject | undefined;
    const decide = async (current: CacheEntry | undefined): Promise<Decision> => {
      if (!current) throw notFound(served.kind, key.name);
      next = current.parse();
      change(next);
      await this.#admission.admit({
        operation: 'UPDATE',
        served,
        subresource: key.subresource,
        namespace: key.namespace,
        name: key.name,
        object: next,
        oldObject: current.parse(),
        user: options.user,
        dryRun: options.dryRun,
      });
      return this.#storeOrRemove(served, next);
    };
    return {
      bytes: await this.#carryOut(served, key, decide, () => next!, options.dryRun),
      created: false,
    };
  }

  /** The last finalizer is gone: the deletion that was waiting for it happens now. */
  #storeOrRemove(served: ServedKind, next: KubeObject): Decision {
    const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = next.metadata!;
    const due = deletionTimestamp && !finalizers?.length && !deletionGracePeriodSeconds;
    if (due && !this.#holds(served, next)) return 'delete';
    return { put: next, ...(served.kind.ttlSeconds && { ttlSeconds: served.kind.ttlSeconds }) };
  }

  /** Runs a decision against the store, or only against its present state in a dry run. */
  async #carryOut(
    served: ServedKind,
    key: { namespace: string; name: string },
    decide: (current: CacheEntry | undefined) => Promise<Decision>,
    outcome: () => KubeObject,
    dryRun: boolean,
  ): Promise<Buffer> {
    const at = storeKey(served, key.namespace, key.name);
    if (dryRun) {
      const current = await this.#storage.read(served.path, at);
      await decide(current);
      return withResourceVersion(encodeForStore(outcome()), current!.revision);
    }
    return (await this.#storage.update(served.path, at, decide))!.bytes;
  }

  /** Namespaces keep themselves by `spec.finalizers`. */
  #holds(served: ServedKind, object: KubeObject): boolean {
    if (served.kind.group !== '' || served.kind.plural !== 'namespaces') return false;
    return !!(object as { spec?: { finalizers?: string[] } }).spec?.finalizers?.length;
  }

  async #prepareUpdate(
    served: ServedKind,
    key: { namespace: string; name: string; subresource: string },
    next: KubeObject,
    previous: KubeObject,
    options: WriteOptions,
  ): Promise<void> {
    const { kind } = served;
    next.metadata ??= {};
    const meta = next.metadata;
    const before = previous.metadata!;
    const unconditional = !meta.resourceVersion;
    if (!unconditional && meta.resourceVersion !== before.resourceVersion)
      throw conflict(kind, key.name, optimisticLock);
    if (meta.uid && meta.uid !== before.uid)
      throw conflict(
        kind,
        key.name,
        `Precondition failed: UID in precondition: ${meta.uid}, UID in object meta: ${before.uid}`,
      );
    meta.resourceVersion = before.resourceVersion;
    meta.name = before.name;
    if (before.namespace !== undefined) meta.namespace = before.namespace;
    // What the server owns stays.
    for (const field of [
      'uid',
      'creationTimestamp',
      'deletionTimestamp',
      'deletionGracePeriodSeconds',
      'generateName',
      'selfLink',
    ] as const) {
      if (before[field] === undefined) delete meta[field];
      else (meta as Record<string, unknown>)[field] = before[field];
    }
    if (before.generation !== undefined) meta.generation = before.generation;
    kind.defaults?.(next);
    await this.#admission.admit({
      operation: 'UPDATE',
      served,
      subresource: key.subresource,
      namespace: key.namespace,
      name: key.name,
      object: next,
      oldObject: previous,
      user: options.user,
      dryRun: options.dryRun,
    });
    const context = this.#context(Date.now(), options.user);
    const rules = key.subresource === 'status' ? kind.status : kind;
    rules?.prepareForUpdate?.(next, previous, context);
    this.#allocator.prepare(served, next, previous);
    if (!options.isApply) this.#recordManager(served, key.subresource, next, previous, options);
    const errors =
      key.subresource === 'status'
        ? (kind.status?.validateUpdate?.(next, previous) ?? [])
        : [...(kind.validate?.(next) ?? []), ...(kind.validateUpdate?.(next, previous) ?? [])];
    if (errors.length) throw invalid(kind, key.name, errors);
    // Advice is about the spec: an update that leaves it alone needs none.
    if (options.warnings && kind.warnings && meta.generation !== before.generation)
      options.warnings.push(...kind.warnings(next));
  }

  /**
   * An object that has been applied goes on recording who manages its fields; no other object begins to. A client
   * may rewrite the record, as kubectl does when it moves to server-side apply, or end it with one empty entry.
   */
  #recordManager(
    { kind }: ServedKind,
    subresource: string,
    next: KubeObject,
    previous: KubeObject,
    options: WriteOptions,
  ): void {
    const meta = next.metadata!;
    const sent = meta.managedFields;
    const before = previous.metadata?.managedFields;
    delete meta.managedFields;
    if (!before?.length || (sent?.length === 1 && !sent[0]?.manager)) return;
    const managedFields = recordUpdate({
      schema: schemaOf(kind.schema),
      apiVersion: apiVersionOf(kind),
      manager: options.manager ?? options.user.name,
      now: rfc3339(Date.now()),
      ignored: subresource === 'status' ? ['spec'] : kind.status ? ['status'] : [],
      subresource,
      before: { ...previous, metadata: { ...previous.metadata, managedFields: sent ?? before } },
      after: next,
    });
    if (managedFields?.length) meta.managedFields = managedFields;
  }

  /** Deletes, or begins the deletion of, one object. Returns its last (or its marked) state. */
  async delete(
    served: ServedKind,
    namespace: string,
    name: string,
    request: DeleteOptions,
    options: WriteOptions,
  ): Promise<{ bytes: Buffer; gone: boolean; uid: string }> {
    const { kind } = served;
    if (!kind.verbs.includes('delete')) throw methodNotAllowed();
    let last: KubeObject | undefined;
    let gone = false;
    let marked: KubeObject | undefined;
    const decide = async (current: CacheEntry | undefined): Promise<Decision> => {
      if (!current) throw notFound(kind, name);
      const object = current.parse();
      last = current.parse();
      await this.#admission.admit({
        operation: 'DELETE',
        served,
        subresource: '',
        namespace,
        name,
        object: undefined,
        oldObject: object,
        user: options.user,
        dryRun: options.dryRun,
      });
      const plan = planDeletion({ kind, object, request, now: Date.now() });
      gone = plan.action === 'remove';
      marked = plan.action === 'mark' ? plan.object : object;
      if (plan.action === 'remove') return 'delete';
      return plan.action === 'mark' ? { put: plan.object } : 'keep';
    };
    const key = storeKey(served, namespace, name);
    if (options.dryRun) {
      const current = await this.#storage.read(served.path, key);
      await decide(current);
      return {
        bytes: gone ? current!.bytes : withResourceVersion(encodeForStore(marked!), current!.revision),
        gone,
        uid: last?.metadata?.uid ?? '',
      };
    }
    const written = await this.#storage.update(served.path, key, decide);
    if (gone && last) await this.#allocator.release(served, last, undefined);
    return { bytes: written!.bytes, gone, uid: last?.metadata?.uid ?? '' };
  }

  #context(now: number, user: User): StrategyContext {
    return { now, newUID: randomUUID, user };
  }
}
