import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Container, Pod } from '../../api/types/core-v1.ts';
import { ContainerConfigError } from '../environment/config-error.ts';
import { expandAll, type NamespaceObjects, resolveEnvironment } from '../environment/environment.ts';
import { etcHosts, podHostname, resolvConf } from '../environment/network-files.ts';
import { ImageError, type Mount, RuntimeUnavailableError } from '../runtime/types.ts';
import { PodDirectory } from '../volumes/pod-directory.ts';
import { tokenSources } from '../volumes/projections.ts';
import { setUpVolumes } from '../volumes/volume-manager.ts';
import { containerHash } from './container-hash.ts';
import { containerMounts } from './container-mounts.ts';
import { containerUser } from './container-user.ts';
import type { PodActions, Waiting } from './plan-pod.ts';
import { fieldPathOf, type PodServices } from './pod-services.ts';
import { runHook } from './run-hook.ts';

/** What a container waits for after a start that failed. */
export class StartFailure extends Error {
  override name = 'StartFailure';
  readonly waiting: Waiting;
  constructor(reason: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.waiting = { reason, message };
  }
}

/** The sandbox that containers join: known once created, usable once `running` resolves. */
export interface SandboxHandle {
  id: string;
  attempt: number;
  running: Promise<void>;
}

/** What is made once for all containers that start together. */
export interface PodMaterial {
  objects: NamespaceObjects;
  volumes: ReadonlyMap<string, string>;
}

/** Carries out the actions of a plan for one pod. Each is safe to repeat after it was cut off anywhere. */
export class PodExecutor {
  readonly #services: PodServices;

  constructor(services: PodServices) {
    this.#services = services;
  }

  #directory(pod: Pod): PodDirectory {
    return new PodDirectory(this.#services.rootDirectory, pod.metadata?.uid ?? '');
  }

  #facts(pod: Pod) {
    const { network, facts } = this.#services;
    const uid = pod.metadata?.uid ?? '';
    return { ...facts(), ...(!pod.spec?.hostNetwork && { podIP: network.allocate(uid) }) };
  }

  /**
   * Sets up or updates the pod's volumes and its own /etc/hosts and resolv.conf.
   * @throws {MountFailure}
   */
  async prepare(pod: Pod): Promise<PodMaterial> {
    const { objects: cache, tokens, rootDirectory, dns } = this.#services;
    const sources = tokenSources(pod);
    const uid = pod.metadata?.uid ?? '';
    const [objects] = await Promise.all([cache.follow(pod), tokens.prepare(pod, sources)]);
    const facts = this.#facts(pod);
    const volumes = await setUpVolumes(
      { pod, objects, facts, token: (source) => tokens.token(uid, source) },
      rootDirectory,
    );
    const directory = this.#directory(pod);
    const hostFile = pod.spec?.hostNetwork ? await readFile('/etc/hosts', 'utf8') : '';
    const { clusterDomain } = dns;
    await Promise.all([
      writeFile(directory.etcHosts, etcHosts(pod, { podIP: facts.podIP, clusterDomain, hostFile }), {
        mode: 0o644,
      }),
      writeFile(directory.resolvConf, resolvConf(pod, dns), { mode: 0o644 }),
    ]);
    return { objects, volumes };
  }

  /** Creates the sandbox and begins to start it, so that containers can be made meanwhile. */
  async createSandbox(pod: Pod, { attempt }: PodActions['createSandbox']): Promise<SandboxHandle> {
    const { runtime, images, dns } = this.#services;
    const { podIP: ip } = this.#facts(pod);
    const image = await images.ensureSandboxImage();
    const { hostname } = podHostname(pod, dns.clusterDomain);
    const id = await runtime.createSandbox({ pod, attempt, ip, hostname, image });
    const running = runtime.start(id).catch(async (error: unknown) => {
      await runtime.remove(id);
      throw error;
    });
    // Whoever awaits it hears of a failure; until then it must not count as unhandled.
    running.catch(() => undefined);
    return { id, attempt, running };
  }

  /**
   * Image, configuration, container, start, postStart hook.
   * @throws {StartFailure} with what the container's status shall say
   */
  async startContainer(
    pod: Pod,
    action: PodActions['startContainer'],
    options: { sandbox: SandboxHandle; material: PodMaterial; signal: AbortSignal },
  ): Promise<void> {
    const { runtime } = this.#services;
    const { container, attempt } = action;
    const { sandbox, material, signal } = options;
    const id = await this.#create(pod, container, attempt, sandbox, material, signal);
    this.#event(pod, container, 'Normal', 'Created', `Created container: ${container.name}`);
    await sandbox.running;
    try {
      await runtime.start(id);
    } catch (error) {
      if (error instanceof RuntimeUnavailableError) throw error;
      throw this.#failed(pod, container, 'RunContainerError', error as Error);
    }
    this.#event(pod, container, 'Normal', 'Started', `Started container ${container.name}`);
    await this.#postStart(pod, container, id, signal);
  }

  /** preStop hook within the grace period, then the stop signal, then the kill. `again`: only the rest of it. */
  async killContainer(
    pod: Pod,
    action: PodActions['killContainer'] & { again: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const { runtime, now, events } = this.#services;
    const { message, gracePeriod, again } = action;
    const container = this.#container(pod, action.runtime.name);
    if (!again) events.event(pod, 'Normal', 'Killing', message, fieldPathOf(pod, action.runtime.name));
    const began = now();
    const handler = again ? undefined : container?.lifecycle?.preStop;
    if (container && handler && action.preStop)
      await this.#preStop(pod, container, action.runtime.id, gracePeriod, signal);
    if (signal.aborted) return;
    const left = gracePeriod - (now() - began) / 1000;
    // A hook that used up the grace period leaves the kubelet's two seconds.
    const grace = handler && left < 2 ? Math.min(2, gracePeriod) : left;
    await abortable(runtime.stop(action.runtime.id, grace), signal);
  }

  #container(pod: Pod, name: string): Container | undefined {
    return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find(
      (one) => one.name === name,
    );
  }

  #event(pod: Pod, container: Container, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#services.events.event(pod, type, reason, message, fieldPathOf(pod, container.name));
  }

  #failed(pod: Pod, container: Container, reason: string, error: Error): StartFailure {
    this.#event(pod, container, 'Warning', 'Failed', `Error: ${error.message}`);
    return new StartFailure(reason, error.message, error);
  }

  async #create(
    pod: Pod,
    container: Container,
    attempt: number,
    sandbox: SandboxHandle,
    material: PodMaterial,
    signal: AbortSignal,
  ): Promise<string> {
    const { runtime, images, services } = this.#services;
    try {
      const image = await images.ensureImage({ pod, container, signal });
      this.#services.imageIDs.set(image.id, image.imageID);
      const { objects, volumes } = material;
      const facts = this.#facts(pod);
      const environment = resolveEnvironment({ pod, container, objects, services: await services(), facts });
      const user = containerUser(pod, container, image.user);
      const own = await this.#ownMounts(pod, container, attempt);
      const mounts = await containerMounts({ pod, container, volumes, environment, own });
      try {
        return await runtime.createContainer({
          pod,
          container,
          attempt,
          sandboxAttempt: sandbox.attempt,
          sandboxID: sandbox.id,
          hash: containerHash(container),
          imageID: image.id,
          env: [...environment].map(([name, value]) => `${name}=${value}`),
          command: expandAll(container.command, environment),
          args: expandAll(container.args, environment),
          mounts,
          user,
        });
      } catch (error) {
        if (error instanceof RuntimeUnavailableError) throw error;
        throw this.#failed(pod, container, 'CreateContainerError', error as Error);
      }
    } catch (error) {
      if (error instanceof ImageError) throw new StartFailure(error.reason, error.message, error);
      if (error instanceof ContainerConfigError)
        throw this.#failed(pod, container, 'CreateContainerConfigError', error);
      throw error;
    }
  }

  /** The kubelet's own files in a container. */
  async #ownMounts(pod: Pod, container: Container, attempt: number): Promise<Mount[]> {
    const directory = this.#directory(pod);
    const mounts: Mount[] = [
      { source: directory.etcHosts, target: '/etc/hosts', readOnly: false },
      { source: directory.resolvConf, target: '/etc/resolv.conf', readOnly: false },
    ];
    const target = container.terminationMessagePath ?? '/dev/termination-log';
    if (target) {
      const source = directory.terminationMessage(container.name, attempt);
      await mkdir(dirname(source), { recursive: true });
      await writeFile(source, '', { flag: 'a' });
      // Whatever user the container runs as may write it.
      await chmod(source, 0o666);
      mounts.push({ source, target, readOnly: false });
    }
    return mounts;
  }

  async #postStart(pod: Pod, container: Container, containerID: string, signal: AbortSignal): Promise<void> {
    const handler = container.lifecycle?.postStart;
    if (!handler) return;
    const { runtime } = this.#services;
    const podIP = this.#facts(pod).podIP ?? '127.0.0.1';
    try {
      await runHook({ runtime, handler, container, containerID, podIP, signal });
    } catch (error) {
      if (signal.aborted) return;
      const message = `PostStartHook failed: ${(error as Error).message}`;
      this.#event(pod, container, 'Warning', 'FailedPostStartHook', message);
      this.#event(pod, container, 'Normal', 'Killing', 'FailedPostStartHook');
      await runtime.stop(containerID, pod.spec?.terminationGracePeriodSeconds ?? 30);
      throw new StartFailure('PostStartHookError', message, error);
    }
  }

  async #preStop(
    pod: Pod,
    container: Container,
    containerID: string,
    gracePeriod: number,
    signal: AbortSignal,
  ): Promise<void> {
    const handler = container.lifecycle!.preStop!;
    const within = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(gracePeriod * 1000))]);
    const podIP = this.#facts(pod).podIP ?? '127.0.0.1';
    try {
      await runHook({
        runtime: this.#services.runtime,
        handler,
        container,
        containerID,
        podIP,
        signal: within,
      });
    } catch (error) {
      // Out of time is not a failure of the hook.
      if (within.aborted) return;
      this.#event(
        pod,
        container,
        'Warning',
        'FailedPreStopHook',
        `PreStopHook failed: ${(error as Error).message}`,
      );
    }
  }
}

/** Stops waiting when the signal aborts; what was asked of the engine goes on there. */
async function abortable(work: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const abort = () => resolve();
  signal.addEventListener('abort', abort, { once: true });
  work.catch(() => undefined);
  try {
    await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
