import { keyOf } from '../../api/object.ts';
import { namespaces, serviceAccounts } from '../../api/resources.ts';
import type { Namespace, ServiceAccount } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { Informer } from '../../client/informer.ts';
import { isAlreadyExists } from '../../client/status-error.ts';
import { type ControllerContext, type ControllerDeclaration, QueueController } from '../common/context.ts';
import { isNamespaceTerminating } from '../common/pod-control.ts';

/** Keeps a ServiceAccount `default` in every namespace that lives. */
class ServiceAccountController extends QueueController {
  readonly #client: ApiClient;
  readonly #namespaces: Informer<Namespace>;
  readonly #accounts: Informer<ServiceAccount>;

  constructor(context: ControllerContext) {
    super({ sync: (key) => this.#sync(key), log: context.log });
    this.#client = context.client;
    this.#namespaces = context.informers.informer(namespaces);
    this.#accounts = context.informers.informer(serviceAccounts);
    this.#namespaces.on({
      add: (item) => this.queue.add(keyOf(item)),
      update: (item) => this.queue.add(keyOf(item)),
    });
    this.#accounts.on({
      delete: (item) => this.queue.add(item.metadata?.namespace ?? ''),
    });
  }

  async #sync(name: string): Promise<void> {
    const namespace = this.#namespaces.get(name);
    if (!namespace || namespace.metadata?.deletionTimestamp || namespace.status?.phase === 'Terminating')
      return;
    if (this.#accounts.get(`${name}/default`)) return;
    const account = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace: name },
    };
    try {
      await this.#client.create(serviceAccounts, account);
    } catch (error) {
      if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
    }
  }
}

export const serviceAccountController: ControllerDeclaration = {
  name: 'serviceaccount-controller',
  aliases: ['serviceaccount'],
  setUp: (context) => new ServiceAccountController(context),
};
