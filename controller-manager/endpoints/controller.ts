import { keyOf } from '../../api/object.ts';
import { endpoints as endpointsResource, pods as podResource, services } from '../../api/resources.ts';
import type { Endpoints, Pod, Service } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer } from '../../client/informer.ts';
import { isConflict, isNotFound } from '../../client/status-error.ts';
import { type ControllerContext, type ControllerDeclaration, QueueController } from '../common/context.ts';
import { isNamespaceTerminating } from '../common/pod-control.ts';
import { followServicePods, hasEndpoints, podsOf } from '../common/service-pods.ts';
import { isManaged, planEndpoints } from './plan.ts';

/** Keeps the Endpoints object of every service with a selector. */
class EndpointsController extends QueueController {
  readonly #client: ApiClient;
  readonly #now: () => number;
  readonly #events: EventRecorder;
  readonly #services: Informer<Service>;
  readonly #pods: Informer<Pod>;
  readonly #endpoints: Informer<Endpoints>;
  /** Services that were seen to go: their Endpoints go with them, whoever wrote those. */
  readonly #gone = new Set<string>();

  constructor(context: ControllerContext) {
    super({ sync: (key) => this.#sync(key), log: context.log });
    this.#client = context.client;
    this.#now = context.now;
    this.#events = context.events('endpoint-controller');
    this.#services = context.informers.informer(services);
    this.#pods = context.informers.informer(podResource);
    this.#endpoints = context.informers.informer(endpointsResource);
    followServicePods({ services: this.#services, pods: this.#pods, enqueue: (key) => this.queue.add(key) });
    this.#services.on({ delete: (service) => this.#gone.add(keyOf(service)) });
    const follow = (item: Endpoints) => {
      if (isManaged(item)) this.queue.add(keyOf(item));
    };
    this.#endpoints.on({ add: follow, update: (item) => this.queue.add(keyOf(item)), delete: follow });
  }

  async #sync(key: string): Promise<void> {
    const service = this.#services.get(key);
    const present = this.#endpoints.get(key);
    if (!service) {
      // Its service may have gone while nobody was watching: then only what was written here is known to be left over.
      if (present && (isManaged(present) || this.#gone.has(key))) await this.#delete(present);
      this.#gone.delete(key);
      return;
    }
    this.#gone.delete(key);
    if (!hasEndpoints(service)) return;
    const wanted = planEndpoints({
      service,
      pods: podsOf(service, this.#pods),
      present,
      now: this.#now(),
    });
    if (!wanted) return;
    try {
      if (present) await this.#client.update(endpointsResource, wanted);
      else await this.#client.create(endpointsResource, wanted);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      if (!isConflict(error))
        this.#events.event(
          service,
          'Warning',
          present ? 'FailedToUpdateEndpoint' : 'FailedToCreateEndpoint',
          `Failed to ${present ? 'update' : 'create'} endpoint for service ${key}: ${(error as Error).message}`,
        );
      throw error;
    }
  }

  async #delete(present: Endpoints): Promise<void> {
    const { name = '', namespace, uid } = present.metadata ?? {};
    try {
      await this.#client.delete(endpointsResource, { name, namespace }, { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

export const endpointsController: ControllerDeclaration = {
  name: 'endpoints-controller',
  aliases: ['endpoint'],
  setUp: (context) => new EndpointsController(context),
};
