import { type KubeObject, keyOf, type Resource } from '../../api/object.ts';
import { pods } from '../../api/resources.ts';
import type { Pod, PodTemplateSpec } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { isNotFound, StatusError } from '../../client/status-error.ts';
import { controllerReference } from './owner-references.ts';

/** Names that end in a dash and are longer than this are still valid, as the server cuts them before it adds five characters. */
const longestPrefix = 252;

/** What a controller's pods are called: `<owner>-` plus what the server generates. */
export const podNamePrefix = (owner: string): string => (owner.length <= longestPrefix ? `${owner}-` : owner);

/** A pod as its owner's template describes it, controlled by the owner. */
export function podFromTemplate(template: PodTemplateSpec, owner: KubeObject, resource: Resource): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: podNamePrefix(owner.metadata?.name ?? ''),
      namespace: owner.metadata?.namespace,
      ...(labels && { labels: { ...labels } }),
      ...(annotations && { annotations: { ...annotations } }),
      ...(finalizers && { finalizers: [...finalizers] }),
      ownerReferences: [controllerReference(owner, resource)],
    },
    spec: template.spec,
  };
}

/** Whether the server refused because the namespace is on its way out: then there is nothing left to do. */
export const isNamespaceTerminating = (error: unknown): boolean =>
  error instanceof StatusError &&
  (error.status.details?.causes?.some((cause) => cause.reason === 'NamespaceTerminating') ?? false);

/** Creates and deletes pods for a controller and tells users about it on the owner. */
export class PodControl {
  readonly #client: ApiClient;
  readonly #events: EventRecorder;

  constructor(options: { client: ApiClient; events: EventRecorder }) {
    this.#client = options.client;
    this.#events = options.events;
  }

  /** @throws {StatusError} after having recorded it. */
  async create(owner: KubeObject, pod: Pod): Promise<Pod> {
    try {
      const created = await this.#client.create(pods, pod);
      this.#events.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata?.name}`);
      return created;
    } catch (error) {
      if (!isNamespaceTerminating(error))
        this.#events.event(owner, 'Warning', 'FailedCreate', `Error creating: ${(error as Error).message}`);
      throw error;
    }
  }

  /** A pod that is gone already counts as deleted. @throws {StatusError} after having recorded it. */
  async delete(owner: KubeObject, pod: Pod): Promise<void> {
    const { name = '', namespace, uid } = pod.metadata ?? {};
    try {
      await this.#client.delete(pods, { name, namespace }, { preconditions: { uid } });
      this.#events.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
    } catch (error) {
      if (isNotFound(error)) return;
      this.#events.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${(error as Error).message}`);
      throw new Error(`unable to delete pod ${keyOf(pod)}: ${(error as Error).message}`, { cause: error });
    }
  }
}
