import { type KubeObject, keyOf } from '../api/object.ts';
import { endpointSlices, namespaces, nodes, services } from '../api/resources.ts';
import type { Namespace, Node, Service } from '../api/types/core-v1.ts';
import type { EndpointSlice } from '../api/types/discovery-v1.ts';
import { type ApiClient, metadataOnly } from '../client/api-client.ts';
import { Informer } from '../client/informer.ts';
import type { Log } from '../client/log.ts';
import type { ZoneView } from './dns/zone.ts';

const zoneLabel = 'topology.kubernetes.io/zone';

/** `namespace/name` of the Service that a slice belongs to. */
const ownerOf = (slice: EndpointSlice): string =>
  `${slice.metadata?.namespace}/${slice.metadata?.labels?.['kubernetes.io/service-name'] ?? ''}`;

const addressesOf = (slice: EndpointSlice): string[] =>
  (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses);

/** Keeps of an object's metadata what is read here: the rest is most of the memory. */
function slim<T extends KubeObject>(object: T): T {
  const { name, namespace, uid, resourceVersion, labels } = object.metadata ?? {};
  return { ...object, metadata: { name, namespace, uid, resourceVersion, ...(labels && { labels }) } };
}

/**
 * Follows Services, EndpointSlices, Namespaces and this node, and says which Services have changed.
 *
 * Changes that come together are told together, each Service once.
 */
export class ServiceWatch implements ZoneView {
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #namespaces: Informer<Namespace>;
  readonly #node: Informer<Node>;
  readonly #changed: (services: ReadonlySet<string>) => void;
  #dirty = new Set<string>();
  #flushing = false;
  #synced = false;
  #zone: string | undefined;

  constructor(options: {
    client: ApiClient;
    nodeName: string;
    log: Log;
    changed: (services: ReadonlySet<string>) => void;
  }) {
    const { client, log, nodeName } = options;
    this.#changed = options.changed;
    this.#services = new Informer({ client, log, resource: services, transform: slim }).addIndex(
      'ip',
      ({ spec }) =>
        spec?.clusterIP && spec.clusterIP !== 'None' ? (spec.clusterIPs ?? [spec.clusterIP]) : [],
    );
    this.#slices = new Informer({ client, log, resource: endpointSlices, transform: slim })
      .addIndex('service', (slice) => [ownerOf(slice)])
      .addIndex('ip', addressesOf);
    this.#namespaces = new Informer({ client, log, resource: namespaces, transform: nameOnly });
    this.#node = new Informer({
      client,
      log,
      resource: nodes,
      fieldSelector: `metadata.name=${nodeName}`,
      accept: metadataOnly,
    });
    const serviceChanged = (service: Service) => this.#mark(keyOf(service));
    this.#services.on({ add: serviceChanged, update: serviceChanged, delete: serviceChanged });
    this.#slices.on({
      add: (slice) => this.#mark(ownerOf(slice)),
      delete: (slice) => this.#mark(ownerOf(slice)),
      update: (slice, old) => {
        this.#mark(ownerOf(old));
        this.#mark(ownerOf(slice));
      },
    });
    const nodeChanged = (node: Node) => {
      const zone = node.metadata?.labels?.[zoneLabel];
      if (zone === this.#zone) return;
      this.#zone = zone;
      for (const service of this.#services.values()) this.#mark(keyOf(service));
    };
    this.#node.on({ add: nodeChanged, update: nodeChanged });
  }

  /** Whether the first complete state has been told. */
  get synced(): boolean {
    return this.#synced;
  }

  get zone(): string | undefined {
    return this.#zone;
  }

  /** Follows the server until `signal` aborts; resolves once the first complete state has been told. */
  async start(signal: AbortSignal): Promise<void> {
    const informers = [this.#services, this.#slices, this.#namespaces, this.#node];
    for (const informer of informers) informer.start(signal);
    await Promise.all([this.#services.synced, this.#slices.synced, this.#namespaces.synced]);
    this.#synced = true;
    this.#flush();
  }

  service(namespace: string, name: string): Service | undefined {
    return this.#services.get(`${namespace}/${name}`);
  }

  slices(namespace: string, name: string): EndpointSlice[] {
    return this.#slices.byIndex('service', `${namespace}/${name}`);
  }

  hasNamespace(name: string): boolean {
    return this.#namespaces.get(name) !== undefined;
  }

  serviceByIP(ip: string): Service | undefined {
    return this.#services.byIndex('ip', ip)[0];
  }

  slicesByIP(ip: string): EndpointSlice[] {
    return this.#slices.byIndex('ip', ip);
  }

  #mark(service: string): void {
    this.#dirty.add(service);
    if (this.#flushing || !this.#synced) return;
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    const dirty = this.#dirty;
    this.#dirty = new Set();
    if (dirty.size) this.#changed(dirty);
  }
}

function nameOnly(namespace: Namespace): Namespace {
  const { name, uid, resourceVersion } = namespace.metadata ?? {};
  return { metadata: { name, uid, resourceVersion } };
}
