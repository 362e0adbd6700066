import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { ContainerCreateOptions, ContainerInfo } from 'dockerode';
import { jsonLines } from '../images/json-lines.ts';
import { containerCreateOptions, type Owner, sandboxCreateOptions } from './create-options.ts';
import { EngineError, engine, settled } from './docker-errors.ts';
import {
  type Inspection,
  parseContainer,
  parseSandbox,
  readTerminationMessage,
  terminationMessageFile,
  wantsLogAsMessage,
} from './docker-state.ts';
import { containerStats } from './docker-stats.ts';
import { openAttach, openExec, openLogs, runExec } from './docker-streams.ts';
import { demuxFrames } from './frames.ts';
import {
  type ContainerConfig,
  type ContainerRuntime,
  type ContainerStats,
  type ExecOptions,
  type ExecResult,
  type LogOptions,
  labels,
  NotFoundError,
  type PodRuntimeState,
  type RuntimeContainer,
  type RuntimeEvent,
  type SandboxConfig,
  type StreamSession,
} from './types.ts';

/** End of a log that stands in for a termination message: lines and bytes. */
const messageFromLog = { lines: 80, bytes: 2048 };
/** First and longest wait before the event stream is opened again, in milliseconds. */
const eventBackOff = { first: 100, longest: 5000 };

export interface DockerRuntimeOptions {
  docker: Docker;
  owner: Owner;
  /** Name of the pod network; asked at each sandbox, as the network may come later. */
  networkName: () => string;
  nodeMemoryBytes: number;
}

/**
 * Runs pods in a Docker Engine. Keeps nothing but a cache of exited containers, which never change, so
 * that looking at a pod costs one list and one inspection a container that runs.
 */
export class DockerRuntime implements ContainerRuntime {
  readonly #docker: Docker;
  readonly #owner: Owner;
  readonly #networkName: () => string;
  readonly #nodeMemoryBytes: number;
  readonly #exited = new Map<string, RuntimeContainer>();

  constructor(options: DockerRuntimeOptions) {
    this.#docker = options.docker;
    this.#owner = options.owner;
    this.#networkName = options.networkName;
    this.#nodeMemoryBytes = options.nodeMemoryBytes;
  }

  async version(): Promise<{ version: string; apiVersion: string }> {
    const { Version, ApiVersion } = await engine(() => this.#docker.version());
    return { version: Version, apiVersion: ApiVersion };
  }

  async listPods(): Promise<PodRuntimeState[]> {
    const listed = await this.#list([]);
    const present = new Set(listed.map((info) => info.Id));
    for (const id of this.#exited.keys()) if (!present.has(id)) this.#exited.delete(id);
    const byPod = Map.groupBy(listed, (info) => info.Labels[labels.podUID] ?? '');
    return Promise.all([...byPod].map(([uid, infos]) => this.#assemble(uid, infos)));
  }

  async podState(uid: string): Promise<PodRuntimeState> {
    return this.#assemble(uid, await this.#list([`${labels.podUID}=${uid}`]));
  }

  createSandbox(config: SandboxConfig): Promise<string> {
    return this.#create(sandboxCreateOptions(this.#owner, config, this.#networkName()));
  }

  createContainer(config: ContainerConfig): Promise<string> {
    return this.#create(containerCreateOptions(this.#owner, config, this.#nodeMemoryBytes));
  }

  async start(id: string): Promise<void> {
    await engine(() => this.#docker.getContainer(id).start()).catch((error: unknown) => {
      if (!(error instanceof EngineError && error.statusCode === 304)) throw error;
    });
  }

  async stop(id: string, gracePeriod: number): Promise<void> {
    await settled(() => this.#docker.getContainer(id).stop({ t: Math.ceil(gracePeriod) }));
  }

  async remove(id: string): Promise<void> {
    await settled(() => this.#docker.getContainer(id).remove({ force: true, v: true }));
    this.#exited.delete(id);
  }

  logs(id: string, options: LogOptions): Promise<Readable> {
    return openLogs(this.#docker, id, options);
  }

  exec(id: string, options: ExecOptions): Promise<StreamSession> {
    return openExec(this.#docker, id, options);
  }

  execSync(id: string, command: string[], signal: AbortSignal): Promise<ExecResult> {
    return runExec(this.#docker, id, command, signal);
  }

  attach(
    id: string,
    options: { stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean },
  ): Promise<StreamSession> {
    return openAttach(this.#docker, id, options);
  }

  demux(stream: Readable, write: (channel: 'stdout' | 'stderr', chunk: Buffer) => void): Promise<void> {
    return demuxFrames(stream, write);
  }

  async details(id: string): Promise<{ tty: boolean; pid: number; running: boolean; openStdin: boolean }> {
    const { Config, State } = await engine(() => this.#docker.getContainer(id).inspect());
    return { tty: Config.Tty, pid: State.Pid, running: State.Running, openStdin: Config.OpenStdin };
  }

  stats(id: string): Promise<ContainerStats> {
    return containerStats(this.#docker, id);
  }

  async watchEvents(
    handlers: { event(event: RuntimeEvent): void; gap(): void },
    signal: AbortSignal,
  ): Promise<void> {
    let wait = eventBackOff.first;
    while (!signal.aborted) {
      try {
        const stream = (await engine(() =>
          this.#docker.getEvents({
            abortSignal: signal,
            filters: {
              type: ['container'],
              event: ['start', 'die', 'oom', 'destroy'],
              label: this.#ownLabels(),
            },
          }),
        )) as Readable;
        handlers.gap();
        wait = eventBackOff.first;
        for await (const line of jsonLines(stream)) {
          const event = parseEvent(line);
          if (event) handlers.event(event);
        }
      } catch {
        // The stream's end says that the engine went away: the gap after reconnecting covers what was lost.
      }
      await delay(wait, undefined, { signal }).catch(() => undefined);
      wait = Math.min(wait * 2, eventBackOff.longest);
    }
  }

  #ownLabels(): string[] {
    return [`${labels.cluster}=${this.#owner.cluster}`, `${labels.node}=${this.#owner.node}`];
  }

  #list(more: string[]): Promise<ContainerInfo[]> {
    return engine(() =>
      this.#docker.listContainers({ all: true, filters: { label: [...this.#ownLabels(), ...more] } }),
    );
  }

  /** Creates under a fixed name; a container that a killed kubelet left under it is adopted, or replaced if it differs. */
  async #create(options: ContainerCreateOptions): Promise<string> {
    const name = options.name ?? '';
    try {
      return (await engine(() => this.#docker.createContainer(options))).id;
    } catch (error) {
      if (!(error instanceof EngineError && error.statusCode === 409)) throw error;
    }
    const existing = await engine(() => this.#docker.getContainer(name).inspect());
    const same = Object.entries(options.Labels ?? {}).every(
      ([key, value]) => existing.Config.Labels[key] === value,
    );
    if (same && existing.State.Status === 'created' && !existing.State.Error) return existing.Id;
    if (same && existing.State.Running) return existing.Id;
    await this.remove(existing.Id);
    return (await engine(() => this.#docker.createContainer(options))).id;
  }

  async #assemble(uid: string, infos: ContainerInfo[]): Promise<PodRuntimeState> {
    const first = infos[0]?.Labels ?? {};
    const state: PodRuntimeState = {
      uid,
      name: first[labels.podName] ?? '',
      namespace: first[labels.podNamespace] ?? '',
      gracePeriod: Number(first[labels.gracePeriod] ?? 30),
      sandboxes: [],
      containers: [],
    };
    await Promise.all(
      infos.map(async (info) => {
        const cached = this.#exited.get(info.Id);
        if (cached && info.State === 'exited') {
          state.containers.push(cached);
          return;
        }
        try {
          await this.#inspectInto(state, info.Id);
        } catch (error) {
          // Removed between the list and now.
          if (!(error instanceof NotFoundError)) throw error;
        }
      }),
    );
    state.sandboxes.sort((a, b) => b.attempt - a.attempt);
    state.containers.sort((a, b) => b.attempt - a.attempt || (a.name < b.name ? -1 : 1));
    return state;
  }

  async #inspectInto(state: PodRuntimeState, id: string): Promise<void> {
    const info: Inspection = await engine(() => this.#docker.getContainer(id).inspect());
    if (info.Config.Labels[labels.type] === 'podsandbox') {
      state.sandboxes.push(parseSandbox(info));
      return;
    }
    const container = parseContainer(info);
    if (container.state === 'exited') {
      container.message = (await this.#terminationMessage(info)) || undefined;
      this.#exited.set(id, container);
      // Someone may start an exited container by hand: its next end is another one.
    } else this.#exited.delete(id);
    state.containers.push(container);
  }

  async #terminationMessage(info: Inspection): Promise<string> {
    const file = terminationMessageFile(info);
    const written = file ? await readTerminationMessage(file) : '';
    if (written || !wantsLogAsMessage(info)) return written;
    const chunks: Buffer[] = [];
    const log = await this.logs(info.Id, { tail: messageFromLog.lines });
    if (info.Config.Tty) for await (const chunk of log) chunks.push(chunk as Buffer);
    else await this.demux(log, (_channel, chunk) => chunks.push(chunk));
    return Buffer.concat(chunks).subarray(-messageFromLog.bytes).toString('utf8');
  }
}

const actions = new Set<string>(['start', 'die', 'oom', 'destroy'] satisfies RuntimeEvent['action'][]);

/** A container event of ours; undefined for anything else. */
export function parseEvent(line: unknown): RuntimeEvent | undefined {
  const { Action, Actor } = (line ?? {}) as {
    Action?: string;
    Actor?: { ID?: string; Attributes?: Record<string, string> };
  };
  const uid = Actor?.Attributes?.[labels.podUID];
  if (!Action || !actions.has(Action) || !uid || !Actor?.ID) return undefined;
  return { uid, containerID: Actor.ID, action: Action as RuntimeEvent['action'] };
}
