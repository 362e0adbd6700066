import { keyOf } from '../../api/object.ts';
import { endpointSlices, endpoints as endpointsResource, services } from '../../api/resources.ts';
import type { Endpoints, Service } from '../../api/types/core-v1.ts';
import type { Informer } from '../../client/informer.ts';
import { type ControllerContext, type ControllerDeclaration, QueueController } from '../common/context.ts';
import { SliceWriter } from '../endpointslice/slice-writer.ts';
import { isMirrored, managedBy, planMirror } from './plan.ts';

/** Makes EndpointSlices from Endpoints that users write themselves, as proxies read slices only. */
class EndpointSliceMirroringController extends QueueController {
  readonly #limits: { maxEndpoints: number; maxPerSubset: number };
  readonly #services: Informer<Service>;
  readonly #endpoints: Informer<Endpoints>;
  readonly #writer: SliceWriter;

  constructor(context: ControllerContext) {
    super({ sync: (key) => this.#sync(key), log: context.log });
    const { client, informers, flags, now } = context;
    this.#limits = {
      maxEndpoints: flags['max-endpoints-per-slice'],
      maxPerSubset: flags['mirroring-max-endpoints-per-subset'],
    };
    this.#services = informers.informer(services);
    this.#endpoints = informers.informer(endpointsResource);
    const enqueue = (key: string) => this.queue.add(key);
    const follow = (object: Service | Endpoints) => enqueue(keyOf(object));
    this.#services.on({ add: follow, update: follow, delete: follow });
    this.#endpoints.on({ add: follow, update: follow, delete: follow });
    this.#writer = new SliceWriter({
      client,
      slices: informers.informer(endpointSlices),
      managedBy,
      now,
      enqueue,
    });
  }

  async #sync(key: string): Promise<void> {
    const outstanding = this.#writer.pending(key);
    if (outstanding > 0) {
      this.queue.addAfter(key, outstanding);
      return;
    }
    const endpoints = this.#endpoints.get(key);
    const mirrored = endpoints && isMirrored(endpoints, this.#services.get(key)) ? endpoints : undefined;
    await this.#writer.apply(key, planMirror(mirrored, this.#writer.of(key), this.#limits));
  }
}

export const endpointSliceMirroringController: ControllerDeclaration = {
  name: 'endpointslice-mirroring-controller',
  aliases: ['endpointslicemirroring'],
  setUp: (context) => new EndpointSliceMirroringController(context),
};
