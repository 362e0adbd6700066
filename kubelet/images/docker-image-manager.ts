import type Docker from 'dockerode';
import type { Container, ObjectReference, Pod, Secret } from '../../api/types/core-v1.ts';
import { ImageError, type ImageErrorReason, type ImageManager, type LocalImage } from '../runtime/types.ts';
import { credentialsFor } from './credentials.ts';
import { engineMessage, hasStatus } from './docker-errors.ts';
import { goDuration } from './duration.ts';
import { ensureSandboxImage } from './pause-image.ts';
import { PullBackoff } from './pull-backoff.ts';
import { ImagePuller, type PullTimes } from './puller.ts';
import { type ImageReference, parseImageReference } from './reference.ts';

/** The part of the event recorder that images use. */
export interface ImageEvents {
  event(
    object: ObjectReference,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    fieldPath?: string,
  ): void;
}

export interface DockerImageManagerOptions {
  docker: Docker;
  events: ImageEvents;
  /** A Secret of the pod's namespace, for `imagePullSecrets`; undefined if there is none. */
  secret(namespace: string, name: string): Promise<Secret | undefined>;
  /** Milliseconds since the epoch. */
  now(): number;
  /** `--pod-infra-container-image`. */
  sandboxImage?: string;
  /** Pulls at one time. */
  parallelPulls?: number;
  /** Told of the ID of every image that a pull brought: what image garbage collection may remove. */
  pulled?(imageID: string): void;
}

interface Request {
  pod: Pod;
  container: Container;
  signal: AbortSignal;
}

interface Inspected extends LocalImage {
  sizeBytes: number;
}

/** The policy that Kubernetes defaults to when a pod says none: Always for `:latest`, else IfNotPresent. */
function pullPolicy(container: Container, image: ImageReference): string {
  return container.imagePullPolicy || (image.tag === 'latest' && !image.digest ? 'Always' : 'IfNotPresent');
}

const backoffKey = (pod: Pod, container: Container): string => `${pod.metadata?.uid}_${container.image}`;

/** Images through the Docker Engine, with the kubelet's policies, messages and events. */
export class DockerImageManager implements ImageManager {
  readonly #options: DockerImageManagerOptions;
  readonly #backoff = new PullBackoff();
  readonly #puller: ImagePuller;
  #sandboxImage: Promise<string> | undefined;

  constructor(options: DockerImageManagerOptions) {
    this.#options = options;
    this.#puller = new ImagePuller({ docker: options.docker, parallel: options.parallelPulls });
  }

  async ensureImage(request: Request): Promise<LocalImage> {
    const written = request.container.image ?? '';
    const quoted = JSON.stringify(written);
    let image: ImageReference;
    try {
      image = parseImageReference(written);
    } catch (error) {
      const why = `couldn't parse image name ${quoted}: ${engineMessage(error)}`;
      const message = `Failed to apply default image tag ${quoted}: ${why}`;
      this.#event(request, 'Warning', 'InspectFailed', message);
      return this.#fail(request, 'InvalidImageName', message);
    }
    let local: Inspected | undefined;
    try {
      local = await this.#inspect(image.name);
    } catch (error) {
      const message = `Failed to inspect image ${quoted}: ${engineMessage(error)}`;
      this.#event(request, 'Warning', 'InspectFailed', message);
      return this.#fail(request, 'ImageInspectError', message);
    }
    const policy = pullPolicy(request.container, image);
    if (local && policy !== 'Always') {
      this.#event(request, 'Normal', 'Pulled', `Container image ${quoted} already present on machine`);
      return local;
    }
    if (policy === 'Never') {
      const message = `Container image ${quoted} is not present with pull policy of Never`;
      this.#event(request, 'Warning', 'ErrImageNeverPull', message);
      return this.#fail(request, 'ErrImageNeverPull', message);
    }
    return this.#pull(request, image);
  }

  retryAt(pod: Pod, container: Container): number | undefined {
    return this.#backoff.waiting(backoffKey(pod, container), this.#options.now())?.retryAt;
  }

  ensureSandboxImage(): Promise<string> {
    // Looked for anew each time, for it may have been removed, but not by several pods at once.
    this.#sandboxImage ??= ensureSandboxImage(this.#options.docker, this.#options.sandboxImage).finally(
      () => {
        this.#sandboxImage = undefined;
      },
    );
    return this.#sandboxImage;
  }

  async listImages(): Promise<{ names: string[]; sizeBytes: number }[]> {
    const images = await this.#options.docker.listImages();
    return images
      .map(({ RepoDigests, RepoTags, Size }) => ({
        names: [...(RepoDigests ?? []), ...(RepoTags ?? [])].filter((name) => !name.includes('<none>')),
        sizeBytes: Size,
      }))
      .filter(({ names }) => names.length > 0);
  }

  async #pull(request: Request, image: ImageReference): Promise<LocalImage> {
    const { now } = this.#options;
    const quoted = JSON.stringify(request.container.image);
    const key = backoffKey(request.pod, request.container);
    const waiting = this.#backoff.waiting(key, now());
    if (waiting) {
      const message = `Back-off pulling image ${quoted}`;
      this.#event(request, 'Normal', 'BackOff', message);
      return this.#fail(request, 'ImagePullBackOff', `${message}: ErrImagePull: ${waiting.error}`);
    }
    this.#event(request, 'Normal', 'Pulling', `Pulling image ${quoted}`);
    try {
      const times = await this.#pullWithAnyCredentials(request, image);
      const local = await this.#inspect(image.name);
      if (!local) throw new Error(`${image.name} was removed again`);
      this.#backoff.succeeded(key);
      this.#options.pulled?.(local.id);
      const took = `in ${goDuration(times.pullMs)} (${goDuration(times.totalMs)} including waiting)`;
      const size = `Image size: ${local.sizeBytes} bytes.`;
      this.#event(request, 'Normal', 'Pulled', `Successfully pulled image ${quoted} ${took}. ${size}`);
      return local;
    } catch (error) {
      request.signal.throwIfAborted();
      const why = engineMessage(error);
      this.#backoff.failed(key, why, now());
      this.#event(request, 'Warning', 'Failed', `Failed to pull image ${quoted}: ${why}`);
      return this.#fail(request, 'ErrImagePull', why);
    }
  }

  /** Without matching credentials it pulls anonymously; with several it tries each, as the kubelet does. */
  async #pullWithAnyCredentials({ pod, signal }: Request, image: ImageReference): Promise<PullTimes> {
    const references = pod.spec?.imagePullSecrets ?? [];
    const secrets = await Promise.all(
      references.map(({ name }) => this.#options.secret(pod.metadata?.namespace ?? 'default', name ?? '')),
    );
    const found = credentialsFor(
      image,
      secrets.filter((secret) => secret !== undefined),
    );
    const failures: string[] = [];
    for (const credentials of found.length ? found : [undefined]) {
      try {
        return await this.#puller.pull(image.name, credentials, signal);
      } catch (error) {
        signal.throwIfAborted();
        failures.push(engineMessage(error));
      }
    }
    const distinct = [...new Set(failures)];
    throw new Error(distinct.length === 1 ? distinct[0] : `[${distinct.join(', ')}]`);
  }

  async #inspect(name: string): Promise<Inspected | undefined> {
    try {
      const image = await this.#options.docker.getImage(name).inspect();
      const digest = image.RepoDigests?.[0];
      return {
        id: image.Id,
        user: image.Config?.User ?? '',
        imageID: digest ? `docker-pullable://${digest}` : `docker://${image.Id}`,
        hasCommand: Boolean(image.Config?.Entrypoint?.length || image.Config?.Cmd?.length),
        sizeBytes: image.Size,
      };
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  #event({ pod, container }: Request, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { name, namespace, uid, resourceVersion } = pod.metadata ?? {};
    const kind = pod.spec?.initContainers?.includes(container) ? 'initContainers' : 'containers';
    this.#options.events.event(
      { apiVersion: 'v1', kind: 'Pod', name, namespace, uid, resourceVersion },
      type,
      reason,
      message,
      `spec.${kind}{${container.name}}`,
    );
  }

  #fail(request: Request, reason: ImageErrorReason, message: string): never {
    this.#event(request, 'Warning', 'Failed', `Error: ${reason}`);
    throw new ImageError(reason, message);
  }
}
