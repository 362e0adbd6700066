import { createHash } from 'node:crypto';
import type { KubeObject } from '../api/object.ts';
import { events } from '../api/resources.ts';
import type { Event, ObjectReference } from '../api/types/core-v1.ts';
import type { ApiClient } from './api-client.ts';
import type { Log } from './log.ts';
import { isNotFound, StatusError } from './status-error.ts';

/** Events of one kind about one object are counted up on one Event object for this long. */
const aggregationWindow = 10 * 60_000;
/** Distinct events remembered for counting. */
const remembered = 1024;
/** Events that may wait to be sent; more are dropped, oldest first, as they are only advice. */
const longestBacklog = 500;
/** Tokens of one object: bursts of 25 events, then one in 5 minutes (client-go's spam filter). */
const spam = { burst: 25, refillMilliseconds: 300_000 };

interface Remembered {
  name: string;
  namespace: string;
  count: number;
  at: number;
}

interface Pending {
  regarding: ObjectReference;
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  at: number;
}

/**
 * Tells users what happened to an object (`kubectl describe`). Never throws and never blocks the caller: an
 * event that cannot be sent is logged and dropped.
 * https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
 */
export class EventRecorder {
  readonly #client: ApiClient;
  readonly #component: string;
  readonly #host: string | undefined;
  readonly #log: Log;
  readonly #seen = new Map<string, Remembered>();
  readonly #tokens = new Map<string, { left: number; at: number }>();
  readonly #pending: Pending[] = [];
  #sending: Promise<void> | undefined;

  constructor(options: { client: ApiClient; component: string; host?: string; log: Log }) {
    this.#client = options.client;
    this.#component = options.component;
    this.#host = options.host;
    this.#log = options.log;
  }

  /** `object` may be a live object or a reference; `fieldPath` names a part, as `spec.containers{web}`. */
  event(
    object: KubeObject | ObjectReference,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    fieldPath?: string,
  ): void {
    const regarding = referenceTo(object, fieldPath);
    const at = Date.now();
    if (!this.#admit(`${regarding.kind}/${regarding.namespace}/${regarding.name}/${regarding.uid}`, at))
      return;
    if (this.#pending.length >= longestBacklog) this.#pending.shift();
    this.#pending.push({ regarding, type, reason, message: message.slice(0, 1024), at });
    this.#sending ??= this.#drain().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Resolves when everything recorded so far has been sent or dropped. */
  async flushed(): Promise<void> {
    await this.#sending;
  }

  #admit(id: string, at: number): boolean {
    const bucket = this.#tokens.get(id) ?? { left: spam.burst, at };
    const left = Math.min(spam.burst, bucket.left + (at - bucket.at) / spam.refillMilliseconds);
    this.#tokens.delete(id);
    this.#tokens.set(id, { left: left >= 1 ? left - 1 : left, at });
    forgetOldest(this.#tokens);
    return left >= 1;
  }

  async #drain(): Promise<void> {
    for (let next = this.#pending.shift(); next; next = this.#pending.shift()) {
      try {
        await this.#send(next);
      } catch (error) {
        const why = error instanceof StatusError ? error.status.message : (error as Error).message;
        this.#log.warn({ reason: next.reason, object: next.regarding.name, err: why }, 'event dropped');
      }
    }
  }

  async #send(pending: Pending): Promise<void> {
    const { regarding, type, reason, message } = pending;
    // The version differs with every status write; the event is the same.
    const id = createHash('sha256')
      .update(JSON.stringify([{ ...regarding, resourceVersion: undefined }, type, reason, message]))
      .digest('base64');
    const seen = this.#seen.get(id);
    const time = new Date(pending.at).toISOString().replace(/\.\d+Z$/, 'Z');
    if (seen && pending.at - seen.at < aggregationWindow) {
      this.#remember(id, { ...seen, count: seen.count + 1, at: pending.at });
      try {
        await this.#client.patch(
          events,
          { name: seen.name, namespace: seen.namespace },
          { type: 'merge', body: { count: seen.count + 1, lastTimestamp: time } },
        );
        return;
      } catch (error) {
        if (!isNotFound(error)) throw error;
        // The Event has expired meanwhile: tell it anew.
      }
    }
    const namespace = regarding.namespace ?? 'default';
    // As client-go names them: the object's name and a time in hexadecimal nanoseconds.
    const nanoseconds = BigInt(pending.at) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n);
    const name = `${regarding.name}.${nanoseconds.toString(16)}`;
    const event: Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: regarding,
      reason,
      message,
      type,
      source: { component: this.#component, ...(this.#host && { host: this.#host }) },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
      reportingComponent: this.#component,
      reportingInstance: this.#host ?? '',
    };
    await this.#client.create(events, event);
    this.#remember(id, { name, namespace, count: 1, at: pending.at });
  }

  #remember(id: string, entry: Remembered): void {
    this.#seen.delete(id);
    this.#seen.set(id, entry);
    forgetOldest(this.#seen);
  }
}

/** Maps keep insertion order: the first key is the one used least recently. */
function forgetOldest(map: Map<string, unknown>): void {
  if (map.size <= remembered) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

/** The reference by which an Event names an object. */
export function referenceTo(object: KubeObject | ObjectReference, fieldPath?: string): ObjectReference {
  const reference: ObjectReference =
    'metadata' in object
      ? {
          apiVersion: object.apiVersion,
          kind: object.kind,
          name: object.metadata?.name,
          namespace: object.metadata?.namespace,
          uid: object.metadata?.uid,
          resourceVersion: object.metadata?.resourceVersion,
        }
      : { ...(object as ObjectReference) };
  return fieldPath ? { ...reference, fieldPath } : reference;
}
