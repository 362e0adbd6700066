import { pods } from '../../api/resources.ts';
import type { Pod, PodStatus } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { Log } from '../../client/log.ts';
import { isConflict, isNotFound, StatusError } from '../../client/status-error.ts';
import { statusPatch } from './status-diff.ts';

/** First and longest wait after a write that failed, in milliseconds. */
const backOff = { first: 500, longest: 30_000 };

interface Entry {
  /** The newest version of the pod that the API is known to have. */
  base: Pod;
  next?: PodStatus;
  sending?: Promise<void>;
  wait: number;
  timer?: NodeJS.Timeout;
  /** The API no longer has this pod. */
  gone: boolean;
}

const versionOf = (pod: Pod): number => Number(pod.metadata?.resourceVersion ?? 0);

/**
 * Brings pod statuses to the API with as few writes as it can: one at a time a pod, always the newest, only
 * what differs from what the API is known to have, nothing if nothing does.
 */
export class StatusManager {
  readonly #client: ApiClient;
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();

  constructor(options: { client: ApiClient; log: Log }) {
    this.#client = options.client;
    this.#log = options.log;
  }

  /** Takes note of the pod as the API has it. */
  observe(pod: Pod): void {
    const uid = pod.metadata?.uid ?? '';
    const entry = this.#entries.get(uid);
    if (!entry) this.#entries.set(uid, { base: pod, wait: backOff.first, gone: false });
    else if (versionOf(pod) > versionOf(entry.base)) entry.base = pod;
  }

  /** Wants this status in the API; returns at once. */
  set(uid: string, status: PodStatus): void {
    const entry = this.#entries.get(uid);
    if (!entry || entry.gone) return;
    entry.next = status;
    if (!entry.timer) this.#send(uid, entry);
  }

  /** Resolves once the newest status is in the API, or the pod is gone from it. */
  async flush(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    while (entry?.sending) await entry.sending;
    if (entry?.next && !entry.gone) throw new Error('the status could not be written yet');
  }

  forget(uid: string): void {
    const entry = this.#entries.get(uid);
    if (!entry) return;
    clearTimeout(entry.timer);
    entry.gone = true;
    this.#entries.delete(uid);
  }

  #send(uid: string, entry: Entry): void {
    entry.sending ??= this.#drain(uid, entry).finally(() => {
      entry.sending = undefined;
    });
  }

  async #drain(uid: string, entry: Entry): Promise<void> {
    while (entry.next && !entry.gone) {
      const status = entry.next;
      const patch = statusPatch(entry.base.status, status);
      if (!patch) {
        entry.next = undefined;
        return;
      }
      try {
        const { name, namespace } = entry.base.metadata ?? {};
        const answer = await this.#client.patch(
          pods,
          { name: name ?? '', namespace: namespace ?? '' },
          // The uid makes sure that it is not written to another pod of the same name.
          { type: 'strategic', body: { metadata: { uid }, status: patch } },
          { subresource: 'status' },
        );
        if (versionOf(answer) > versionOf(entry.base)) entry.base = answer;
        entry.wait = backOff.first;
        if (entry.next === status) entry.next = undefined;
      } catch (error) {
        if (isNotFound(error) || (isConflict(error) && (await this.#replaced(uid, entry)))) {
          entry.gone = true;
          return;
        }
        this.#log.warn({ uid, err: (error as Error).message }, 'pod status not written, trying again');
        // What the server refuses for its content it will refuse again: the next change is the next try.
        if (error instanceof StatusError && error.code === 422) {
          if (entry.next === status) entry.next = undefined;
          return;
        }
        this.#retryLater(uid, entry);
        return;
      }
    }
  }

  /** Whether another pod, or none, has taken the name; any other conflict is a matter of trying again. */
  async #replaced(uid: string, entry: Entry): Promise<boolean> {
    const { name = '', namespace = '' } = entry.base.metadata ?? {};
    try {
      const current = await this.#client.get(pods, { name, namespace });
      if (current.metadata?.uid !== uid) return true;
      this.observe(current);
      return false;
    } catch (error) {
      return isNotFound(error);
    }
  }

  #retryLater(uid: string, entry: Entry): void {
    entry.timer = setTimeout(() => {
      entry.timer = undefined;
      this.#send(uid, entry);
    }, entry.wait);
    entry.timer.unref();
    entry.wait = Math.min(entry.wait * 2, backOff.longest);
  }
}
