import { keyOf } from '../../api/object.ts';
import { endpointSlices } from '../../api/resources.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { Informer } from '../../client/informer.ts';
import { isNotFound } from '../../client/status-error.ts';
import { Expectations } from '../common/expectations.ts';
import { isNamespaceTerminating } from '../common/pod-control.ts';
import { managedByLabel, serviceNameLabel } from './plan.ts';
import type { SlicePlan } from './reconcile.ts';

const byService = 'service';

const serviceKeyOf = (slice: EndpointSlice): string =>
  `${slice.metadata?.namespace}/${slice.metadata?.labels?.[serviceNameLabel] ?? ''}`;

/**
 * The slices of one writer: finds them, carries out plans, and remembers own writes until the informer shows
 * them, so that a slice is never created twice from a copy that lags behind.
 */
export class SliceWriter {
  readonly #client: ApiClient;
  readonly #slices: Informer<EndpointSlice>;
  readonly #managedBy: string;
  readonly #expectations: Expectations;

  constructor(options: {
    client: ApiClient;
    slices: Informer<EndpointSlice>;
    managedBy: string;
    now: () => number;
    /** Called with the key of the service whose slices changed. */
    enqueue(serviceKey: string): void;
  }) {
    const { slices, enqueue } = options;
    this.#client = options.client;
    this.#slices = slices;
    this.#managedBy = options.managedBy;
    this.#expectations = new Expectations(options.now);
    slices.addIndex(byService, (slice) => [serviceKeyOf(slice)]);
    slices.on({
      add: (slice) => {
        if (!this.#isOwn(slice)) return;
        this.#expectations.creationObserved(serviceKeyOf(slice));
        enqueue(serviceKeyOf(slice));
      },
      update: (slice, old) => {
        if (this.#isOwn(slice)) enqueue(serviceKeyOf(slice));
        else if (this.#isOwn(old)) enqueue(serviceKeyOf(old));
      },
      delete: (slice) => {
        if (!this.#isOwn(slice)) return;
        this.#expectations.deletionObserved(serviceKeyOf(slice), keyOf(slice));
        enqueue(serviceKeyOf(slice));
      },
    });
  }

  #isOwn(slice: EndpointSlice): boolean {
    return slice.metadata?.labels?.[managedByLabel] === this.#managedBy;
  }

  /** Milliseconds to wait at most before the service's slices may be planned; 0: now. */
  pending(serviceKey: string): number {
    return this.#expectations.pending(serviceKey);
  }

  of(serviceKey: string): EndpointSlice[] {
    return this.#slices
      .byIndex(byService, serviceKey)
      .filter((slice) => this.#isOwn(slice) && !slice.metadata?.deletionTimestamp);
  }

  /** @throws {StatusError} of the first write that fails; what was done before stays. */
  async apply(serviceKey: string, plan: SlicePlan): Promise<void> {
    for (const slice of plan.create) {
      this.#expectations.expectCreations(serviceKey, 1);
      try {
        await this.#client.create(endpointSlices, slice);
      } catch (error) {
        this.#expectations.creationFailed(serviceKey);
        if (isNamespaceTerminating(error)) return;
        throw error;
      }
    }
    for (const slice of plan.update) await this.#client.update(endpointSlices, slice);
    for (const slice of plan.delete) await this.#delete(serviceKey, slice);
  }

  async #delete(serviceKey: string, slice: EndpointSlice): Promise<void> {
    const { name = '', namespace, uid } = slice.metadata ?? {};
    const key = keyOf(slice);
    this.#expectations.expectDeletion(serviceKey, key);
    try {
      await this.#client.delete(endpointSlices, { name, namespace }, { preconditions: { uid } });
    } catch (error) {
      this.#expectations.deletionObserved(serviceKey, key);
      if (!isNotFound(error)) throw error;
    }
    if (!this.#slices.get(key)) this.#expectations.deletionObserved(serviceKey, key);
  }
}
