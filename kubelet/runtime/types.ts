import type { Duplex, Readable } from 'node:stream';
import type { Container, Pod } from '../../api/types/core-v1.ts';

/**
 * The narrow interface between the kubelet and what runs containers. Docker implements it
 * (`docker-runtime.ts`); nothing outside `runtime/`, `images/` and `network/` knows Docker.
 */

/** Labels on every container: what the kubelet rebuilds all it knows from after a restart. */
export const labels = {
  cluster: 'nekalakube.io/cluster',
  node: 'nekalakube.io/node',
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUID: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
  /** `podsandbox` or `container`. */
  type: 'io.kubernetes.docker.type',
  /** Decimal; for containers it is the restart count. */
  attempt: 'io.kubernetes.container.restartCount',
  /** Hash of the container's spec: another hash means another container. */
  hash: 'io.kubernetes.container.hash',
  sandboxID: 'io.kubernetes.sandbox.id',
  /** Image as the spec wrote it. */
  image: 'nekalakube.io/image',
  terminationMessagePath: 'io.kubernetes.container.terminationMessagePath',
  terminationMessagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
  /** Seconds; how an orphan whose Pod object is gone is stopped. */
  gracePeriod: 'io.kubernetes.pod.terminationGracePeriod',
  /** The pod's own address, on sandboxes. Absent with the host's network. */
  podIP: 'nekalakube.io/pod-ip',
} as const;

/** Container name that stands for the sandbox in names and labels. */
export const sandboxContainerName = 'POD';

export interface ContainerIdentity {
  /** Container name in the pod's spec, or {@link sandboxContainerName}. */
  container: string;
  pod: string;
  namespace: string;
  uid: string;
  attempt: number;
}

/** `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`: as people who read `docker ps` expect. */
export const containerName = (identity: ContainerIdentity): string =>
  ['k8s', identity.container, identity.pod, identity.namespace, identity.uid, identity.attempt].join('_');

export interface RuntimeContainer {
  /** Docker's 64 hex digits, without a scheme. */
  id: string;
  /** Container name in the pod's spec. */
  name: string;
  /** Restart count. */
  attempt: number;
  state: 'created' | 'running' | 'exited';
  /** Image as the spec wrote it. */
  image: string;
  /** `sha256:…` of the image's configuration. */
  imageID: string;
  hash: string;
  sandboxID: string;
  /** RFC 3339 with seconds, as in the Kubernetes API. */
  createdAt: string;
  startedAt?: string;
  finishedAt?: string;
  /** These four of exited containers only. */
  exitCode?: number;
  oomKilled?: boolean;
  /** Why the start failed, if it did: Docker's message. */
  error?: string;
  /** Content of the termination message file, or the end of the log (`FallbackToLogsOnError`). */
  message?: string;
}

export interface RuntimeSandbox {
  id: string;
  attempt: number;
  state: 'created' | 'running' | 'exited';
  createdAt: string;
  /** Absent with the host's network. */
  ip?: string;
  hostNetwork: boolean;
}

/** All containers of one pod that exist, in whatever state. */
export interface PodRuntimeState {
  uid: string;
  name: string;
  namespace: string;
  /** Seconds, from the labels; how to stop it when the Pod object is unknown. */
  gracePeriod: number;
  /** Newest attempt first. */
  sandboxes: RuntimeSandbox[];
  /** Newest attempt first, of all names together. */
  containers: RuntimeContainer[];
}

export interface Mount {
  /** Absolute path on the node. */
  source: string;
  /** Absolute path in the container. */
  target: string;
  readOnly: boolean;
  propagation?: 'rprivate' | 'rslave' | 'rshared';
}

export interface SandboxConfig {
  pod: Pod;
  attempt: number;
  /** The pod's address; absent with the host's network. */
  ip?: string;
  hostname: string;
  /** Image reference that exists locally. */
  image: string;
}

export interface ContainerConfig {
  pod: Pod;
  container: Container;
  attempt: number;
  /** Attempt of the sandbox to join; the sandbox need not run yet when the container is created. */
  sandboxAttempt: number;
  sandboxID: string;
  hash: string;
  /** Image ID to run. */
  imageID: string;
  /** `NAME=value`, expanded. */
  env: string[];
  /** Expanded. Absent: the image's. */
  command?: string[];
  args?: string[];
  mounts: Mount[];
  /** `uid`, `uid:gid` or a name; absent: the image's. */
  user?: string;
}

export interface LogOptions {
  follow?: boolean;
  /** Lines from the end. */
  tail?: number;
  /** Seconds since the epoch, fractions allowed. */
  since?: number;
  timestamps?: boolean;
  signal?: AbortSignal;
}

export interface ExecOptions {
  command: string[];
  stdin?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  tty?: boolean;
}

export interface StreamSession {
  /** Write: the process's stdin (ending it closes stdin). Read: raw with a TTY, else Docker's framed stdout/stderr. */
  stream: Duplex;
  /** With a TTY `stream` carries bytes as they are; without, frames to take apart with {@link ContainerRuntime.demux}. */
  tty: boolean;
  resize(size: { width: number; height: number }): Promise<void>;
  /** Exit code, once `stream` has ended. Undefined while the process runs. */
  exitCode(): Promise<number | undefined>;
  /** Kills a command that `exec` started, and its process group, if it still runs. Attached ones go on. */
  terminate(): Promise<void>;
}

export interface ExecResult {
  exitCode: number;
  /** stdout and stderr as they came, at most 10 KiB. */
  output: string;
}

/** Docker says that there is no such container (or image, or exec). */
export class NotFoundError extends Error {
  override name = 'NotFoundError';
}

/** The runtime does not answer. */
export class RuntimeUnavailableError extends Error {
  override name = 'RuntimeUnavailableError';
}

/** A change that the runtime reported; the receiver looks at the pod again. */
export interface RuntimeEvent {
  uid: string;
  containerID: string;
  action: 'start' | 'die' | 'oom' | 'destroy';
}

/** Cumulative counters and current levels of one container. */
export interface ContainerStats {
  /** RFC 3339. */
  time: string;
  cpuNanoseconds: number;
  memoryUsageBytes: number;
  memoryWorkingSetBytes: number;
  memoryRSSBytes: number;
  pageFaults: number;
  majorPageFaults: number;
  /** Of the sandbox only; the others share its interfaces. */
  network?: { rxBytes: number; rxErrors: number; txBytes: number; txErrors: number };
}

/**
 * What the kubelet asks of a container engine. Creating something that exists under the same name adopts it;
 * stopping or removing something that is gone succeeds. Every method rejects with {@link RuntimeUnavailableError}
 * when the engine does not answer, and with {@link NotFoundError} where a container must exist and does not.
 */
export interface ContainerRuntime {
  version(): Promise<{ version: string; apiVersion: string }>;
  /** Every pod of this cluster and node that has a container, in any state. */
  listPods(): Promise<PodRuntimeState[]>;
  /** One pod's state now; one without containers if it has none. */
  podState(uid: string): Promise<PodRuntimeState>;

  createSandbox(config: SandboxConfig): Promise<string>;
  createContainer(config: ContainerConfig): Promise<string>;
  start(id: string): Promise<void>;
  /** SIGTERM (or the image's stop signal), then SIGKILL after `gracePeriod` seconds; resolves when it has stopped. */
  stop(id: string, gracePeriod: number): Promise<void>;
  /** Removes it by force with its anonymous volumes. */
  remove(id: string): Promise<void>;

  /** Raw log stream; without a TTY in Docker's frames (see {@link ContainerRuntime.demux}). Ends when the container stops. */
  logs(id: string, options: LogOptions): Promise<Readable>;
  exec(id: string, options: ExecOptions): Promise<StreamSession>;
  /** Runs a command to its end (probes, hooks). Aborting rejects with the signal's reason. */
  execSync(id: string, command: string[], signal: AbortSignal): Promise<ExecResult>;
  attach(
    id: string,
    options: { stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean },
  ): Promise<StreamSession>;
  /** Splits Docker's frames; calls back per chunk in order. Resolves at the stream's end. */
  demux(stream: Readable, write: (channel: 'stdout' | 'stderr', chunk: Buffer) => void): Promise<void>;
  /** Whether the container was created with a TTY, and its process id on the node (0 if it does not run). */
  details(id: string): Promise<{ tty: boolean; pid: number; running: boolean; openStdin: boolean }>;
  stats(id: string): Promise<ContainerStats>;

  /** Calls back for every change until `signal` aborts; `onGap` after each (re)connection, when events may be lost. */
  watchEvents(
    handlers: { event(event: RuntimeEvent): void; gap(): void },
    signal: AbortSignal,
  ): Promise<void>;
}

/** What `network/` gives: addresses for sandboxes on the pod network. */
export interface PodNetwork {
  /** Creates or repairs network, routes and rules for this CIDR. Idempotent. */
  ensurePodNetwork(podCIDR: string): Promise<void>;
  /** Name of the Docker network; valid once ensured. */
  readonly networkName: string;
  /** First address of the pod CIDR, on the bridge. */
  readonly gateway: string;
  /** Takes a free address for the pod, the same one while it holds it. Throws when the range is used up. */
  allocate(uid: string): string;
  /** Marks an address as held, from a sandbox that already exists. */
  adopt(uid: string, ip: string): void;
  release(uid: string): void;
}

/** An image that is on the node. */
export interface LocalImage {
  /** `sha256:…` of the configuration. */
  id: string;
  /** `Config.User`: empty means root. */
  user: string;
  /** `docker-pullable://name@sha256:…` or `docker://sha256:…`, for `status.containerStatuses[].imageID`. */
  imageID: string;
  /** Whether the image names an entrypoint or command. */
  hasCommand: boolean;
}

/** Reasons of a container that waits for its image. */
export type ImageErrorReason =
  | 'ErrImagePull'
  | 'ImagePullBackOff'
  | 'ErrImageNeverPull'
  | 'InvalidImageName'
  | 'ImageInspectError'
  | 'RegistryUnavailable';

/** Why an image cannot be had; `reason` and `message` go to the container's waiting state as they are. */
export class ImageError extends Error {
  override name = 'ImageError';
  readonly reason: ImageErrorReason;
  constructor(reason: ImageErrorReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** What `images/` gives. */
export interface ImageManager {
  /**
   * Makes the container's image present as its pull policy asks, recording kubelet's events
   * (`Pulling`, `Pulled`, `Failed`, `BackOff`, `ErrImageNeverPull`, `InspectFailed`).
   * Rejects with {@link ImageError}; while it backs off it rejects at once with `ImagePullBackOff`.
   */
  ensureImage(request: { pod: Pod; container: Container; signal: AbortSignal }): Promise<LocalImage>;
  /** Milliseconds since the epoch when a container that backs off may try again; undefined if it does not back off. */
  retryAt(pod: Pod, container: Container): number | undefined;
  /** Reference of a sandbox image that exists, made locally if need be. */
  ensureSandboxImage(): Promise<string>;
  /** For `node.status.images`. */
  listImages(): Promise<{ names: string[]; sizeBytes: number }[]>;
}

/** What the kubelet's HTTPS server asks about pods; implemented by the pod manager. */
export interface PodLookup {
  pods(): Pod[];
  pod(namespace: string, name: string): Pod | undefined;
  /** Runtime state as last observed; undefined if the pod has no container. */
  runtimeState(uid: string): PodRuntimeState | undefined;
  /** Newest container of that name, or the one before it. Init containers included. */
  container(pod: Pod, name: string, options?: { previous?: boolean }): RuntimeContainer | undefined;
  /** The pod's running sandbox. */
  sandbox(pod: Pod): RuntimeSandbox | undefined;
  /** Directory of the pod's data on the node, for stats. */
  podDirectory(uid: string): string;
}
