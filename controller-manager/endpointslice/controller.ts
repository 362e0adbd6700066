import { endpointSlices, nodes, pods as podResource, services } from '../../api/resources.ts';
import type { Node, Pod, Service } from '../../api/types/core-v1.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer } from '../../client/informer.ts';
import { isConflict } from '../../client/status-error.ts';
import { type ControllerContext, type ControllerDeclaration, QueueController } from '../common/context.ts';
import { followServicePods, hasEndpoints, podsOf } from '../common/service-pods.ts';
import { managedBy, planSlices } from './plan.ts';
import { SliceWriter } from './slice-writer.ts';

/** Keeps the EndpointSlices of every service with a selector. Those of a deleted one go by garbage collection. */
class EndpointSliceController extends QueueController {
  readonly #now: () => number;
  readonly #maxEndpoints: number;
  readonly #events: EventRecorder;
  readonly #services: Informer<Service>;
  readonly #pods: Informer<Pod>;
  readonly #nodes: Informer<Node>;
  readonly #writer: SliceWriter;

  constructor(context: ControllerContext) {
    super({ sync: (key) => this.#sync(key), log: context.log });
    this.#now = context.now;
    this.#maxEndpoints = context.flags['max-endpoints-per-slice'];
    this.#events = context.events('endpoint-slice-controller');
    this.#services = context.informers.informer(services);
    this.#pods = context.informers.informer(podResource);
    this.#nodes = context.informers.informer(nodes);
    const enqueue = (key: string) => this.queue.add(key);
    followServicePods({ services: this.#services, pods: this.#pods, enqueue });
    this.#writer = new SliceWriter({
      client: context.client,
      slices: context.informers.informer(endpointSlices),
      managedBy,
      now: context.now,
      enqueue,
    });
  }

  async #sync(key: string): Promise<void> {
    const service = this.#services.get(key);
    if (!service || !hasEndpoints(service) || service.metadata?.deletionTimestamp) return;
    const outstanding = this.#writer.pending(key);
    if (outstanding > 0) {
      this.queue.addAfter(key, outstanding);
      return;
    }
    const observed = {
      service,
      pods: podsOf(service, this.#pods),
      slices: this.#writer.of(key),
      nodeOf: (name: string) => this.#nodes.get(name),
    };
    const plan = planSlices(observed, { maxEndpoints: this.#maxEndpoints, now: this.#now() });
    try {
      await this.#writer.apply(key, plan);
    } catch (error) {
      if (!isConflict(error))
        this.#events.event(
          service,
          'Warning',
          'FailedToUpdateEndpointSlices',
          `Error updating Endpoint Slices for Service ${key}: ${(error as Error).message}`,
        );
      throw error;
    }
  }
}

export const endpointSliceController: ControllerDeclaration = {
  name: 'endpointslice-controller',
  aliases: ['endpointslice'],
  setUp: (context) => new EndpointSliceController(context),
};
