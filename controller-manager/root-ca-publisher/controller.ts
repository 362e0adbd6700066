import { readFileSync } from 'node:fs';
import { keyOf } from '../../api/object.ts';
import { configMaps, namespaces } from '../../api/resources.ts';
import type { ConfigMap, Namespace } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import { Informer } from '../../client/informer.ts';
import { isAlreadyExists } from '../../client/status-error.ts';
import { type ControllerContext, type ControllerDeclaration, QueueController } from '../common/context.ts';
import { jsonEqual } from '../common/equal.ts';
import { isNamespaceTerminating } from '../common/pod-control.ts';

const configMapName = 'kube-root-ca.crt';
const description =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

/** Keeps the cluster's CA certificate in a ConfigMap of every namespace, for pods that talk to the apiserver. */
class RootCaPublisher extends QueueController {
  readonly #client: ApiClient;
  readonly #data: Record<string, string>;
  readonly #namespaces: Informer<Namespace>;
  readonly #configMaps: Informer<ConfigMap>;

  constructor(context: ControllerContext, certificate: string) {
    super({ sync: (key) => this.#sync(key), log: context.log });
    const { client, log } = context;
    this.#client = client;
    this.#data = { 'ca.crt': certificate };
    this.#namespaces = context.informers.informer(namespaces);
    // Only these, not the users' ConfigMaps, which may be large and many.
    this.#configMaps = new Informer({
      client,
      log,
      resource: configMaps,
      fieldSelector: `metadata.name=${configMapName}`,
    });
    this.#namespaces.on({
      add: (item) => this.queue.add(keyOf(item)),
      update: (item) => this.queue.add(keyOf(item)),
    });
    this.#configMaps.on({
      update: (item) => this.queue.add(item.metadata?.namespace ?? ''),
      delete: (item) => this.queue.add(item.metadata?.namespace ?? ''),
    });
  }

  override async run(signal: AbortSignal): Promise<void> {
    this.#configMaps.start(signal);
    const stopped = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    await Promise.race([this.#configMaps.synced, stopped]);
    await super.run(signal);
  }

  async #sync(name: string): Promise<void> {
    const namespace = this.#namespaces.get(name);
    if (!namespace || namespace.metadata?.deletionTimestamp || namespace.status?.phase === 'Terminating')
      return;
    const present = this.#configMaps.get(`${name}/${configMapName}`);
    const annotations = { 'kubernetes.io/description': description };
    if (!present) {
      const metadata = { name: configMapName, namespace: name, annotations };
      try {
        await this.#client.create(configMaps, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata,
          data: this.#data,
        });
      } catch (error) {
        if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
      }
    } else if (!jsonEqual(present.data, this.#data)) {
      const metadata = {
        ...present.metadata,
        annotations: { ...present.metadata?.annotations, ...annotations },
      };
      await this.#client.update(configMaps, { ...present, metadata, data: this.#data });
    }
  }
}

export const rootCaPublisher: ControllerDeclaration = {
  name: 'root-ca-certificate-publisher-controller',
  aliases: ['root-ca-cert-publisher'],
  setUp: (context) => {
    const file = context.flags['root-ca-file'];
    return file ? new RootCaPublisher(context, readFileSync(file, 'utf8')) : undefined;
  },
};
