import { keyOf } from '../../api/object.ts';
import { namespaces, pods as podResource } from '../../api/resources.ts';
import type { Namespace } from '../../api/types/core-v1.ts';
import { type ApiClient, pathOf } from '../../client/api-client.ts';
import type { Informer } from '../../client/informer.ts';
import { isConflict, isNotFound } from '../../client/status-error.ts';
import { type ControllerContext, type ControllerDeclaration, QueueController } from '../common/context.ts';
import { deleteContent } from './content.ts';
import { type ContentReport, isEmpty, planConditions } from './plan.ts';

/** The finalizer in `spec.finalizers` that stands for this controller's work. */
const finalizer = 'kubernetes';

/** Milliseconds between passes over a namespace that still has content: from quick to patient. */
const recheck = { first: 100, longest: 5000 };

/** Empties namespaces that are being deleted, then lets them go. */
class NamespaceController extends QueueController {
  readonly #client: ApiClient;
  readonly #now: () => number;
  readonly #namespaces: Informer<Namespace>;
  /** By namespace uid: what the last pass left, and how many passes in a row have left the same. */
  readonly #passes = new Map<string, { left: string; count: number }>();

  constructor(context: ControllerContext) {
    super({ sync: (key) => this.#sync(key), workers: 10, log: context.log });
    this.#client = context.client;
    this.#now = context.now;
    this.#namespaces = context.informers.informer(namespaces);
    const follow = (item: Namespace) => {
      if (item.metadata?.deletionTimestamp) this.queue.add(keyOf(item));
    };
    this.#namespaces.on({
      add: follow,
      update: (item, old) => {
        // Its own status writes are no news.
        if (
          !old.metadata?.deletionTimestamp ||
          item.spec?.finalizers?.length !== old.spec?.finalizers?.length
        )
          follow(item);
      },
      delete: (item) => this.#passes.delete(item.metadata?.uid ?? ''),
    });
    context.informers.informer(podResource).on({
      delete: (pod) => {
        const namespace = this.#namespaces.get(pod.metadata?.namespace ?? '');
        if (namespace) follow(namespace);
      },
    });
  }

  async #sync(name: string): Promise<void> {
    if (!this.#namespaces.get(name)?.metadata?.deletionTimestamp) return;
    try {
      await this.#terminate(name);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async #terminate(name: string): Promise<void> {
    // Live, as several controllers may write to a namespace on its way out.
    let namespace = await this.#client.get(namespaces, { name });
    if (!namespace.metadata?.deletionTimestamp || !namespace.spec?.finalizers?.includes(finalizer)) return;
    if (namespace.status?.phase !== 'Terminating') {
      const status = { ...namespace.status, phase: 'Terminating' };
      namespace = await this.#client.update(namespaces, { ...namespace, status }, { subresource: 'status' });
    }
    const report = await deleteContent(this.#client, name);
    if (isEmpty(report)) {
      await this.#finalize(namespace);
      return;
    }
    this.queue.addAfter(name, this.#patience(namespace, report));
    const conditions = planConditions(namespace, report, this.#now());
    if (conditions === namespace.status?.conditions) return;
    const status = { ...namespace.status, conditions };
    await this.#client.update(namespaces, { ...namespace, status }, { subresource: 'status' });
  }

  /** Milliseconds until the next pass: short as long as things move. */
  #patience(namespace: Namespace, report: ContentReport): number {
    const uid = namespace.metadata?.uid ?? '';
    const left = JSON.stringify([[...report.remaining], report.deletionFailures, report.discoveryFailures]);
    const before = this.#passes.get(uid);
    const count = before?.left === left ? before.count + 1 : 0;
    this.#passes.set(uid, { left, count });
    return Math.min(recheck.first * 2 ** count, recheck.longest);
  }

  async #finalize(namespace: Namespace): Promise<void> {
    const finalizers = namespace.spec?.finalizers?.filter((item) => item !== finalizer) ?? [];
    const body = { ...namespace, spec: { ...namespace.spec, finalizers } };
    try {
      await this.#client.json({
        method: 'PUT',
        path: pathOf(namespaces, { name: namespace.metadata?.name ?? '' }, 'finalize'),
        body,
      });
    } catch (error) {
      if (!isConflict(error)) throw error;
      this.queue.addRateLimited(keyOf(namespace));
    }
  }
}

export const namespaceController: ControllerDeclaration = {
  name: 'namespace-controller',
  aliases: ['namespace'],
  setUp: (context) => new NamespaceController(context),
};
