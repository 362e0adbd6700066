import { open } from 'node:fs/promises';
import type { ContainerInspectInfo } from 'dockerode';
import { labels, type RuntimeContainer, type RuntimeSandbox } from './types.ts';

/** What of Docker's inspection the kubelet reads. */
export type Inspection = Pick<
  ContainerInspectInfo,
  'Id' | 'Created' | 'State' | 'Config' | 'Image' | 'Mounts' | 'HostConfig'
>;

/** Exit code and reason that Kubernetes reports for a process that could not be started. */
export const startErrorExitCode = 128;

/** Docker's time to the API's: whole seconds; undefined for Docker's zero time. */
export function apiTime(text: string | undefined): string | undefined {
  if (!text || text.startsWith('0001-')) return undefined;
  return `${text.slice(0, 19)}Z`;
}

/**
 * Three states of Docker's seven: a container that has run is `exited`; so is one whose start failed, because
 * it stays `created` in Docker but counts as an attempt.
 */
function stateOf(info: Inspection): 'created' | 'running' | 'exited' {
  const { Status, Error: error, Running } = info.State;
  if (Running || Status === 'paused' || Status === 'restarting') return 'running';
  if (Status === 'created') return error ? 'exited' : 'created';
  return 'exited';
}

const label = (info: Inspection, name: string): string => info.Config.Labels?.[name] ?? '';

/** Reads a container from its labels and Docker's state; `message` is left to the caller. */
export function parseContainer(info: Inspection): RuntimeContainer {
  const state = stateOf(info);
  const startFailed = info.State.Status === 'created' && state === 'exited';
  const createdAt = apiTime(info.Created) ?? info.Created;
  return {
    id: info.Id,
    name: label(info, labels.containerName),
    attempt: Number(label(info, labels.attempt)) || 0,
    state,
    image: label(info, labels.image) || info.Config.Image,
    imageID: info.Image,
    hash: label(info, labels.hash),
    sandboxID: label(info, labels.sandboxID),
    createdAt,
    ...(state !== 'created' && { startedAt: apiTime(info.State.StartedAt) }),
    ...(state === 'exited' && {
      finishedAt: apiTime(info.State.FinishedAt) ?? createdAt,
      exitCode: startFailed ? startErrorExitCode : info.State.ExitCode,
      oomKilled: info.State.OOMKilled,
    }),
    ...(startFailed && { error: info.State.Error }),
  };
}

/** Reads a sandbox from its labels and Docker's state. */
export function parseSandbox(info: Inspection): RuntimeSandbox {
  const ip = label(info, labels.podIP);
  return {
    id: info.Id,
    attempt: Number(label(info, labels.attempt)) || 0,
    state: stateOf(info),
    createdAt: apiTime(info.Created) ?? info.Created,
    ...(ip && { ip }),
    hostNetwork: info.HostConfig.NetworkMode === 'host',
  };
}

/** Where the container's termination message lies on the node, if it has one. */
export function terminationMessageFile(info: Inspection): string | undefined {
  const target = label(info, labels.terminationMessagePath);
  return target ? info.Mounts.find((mount) => mount.Destination === target)?.Source : undefined;
}

export const wantsLogAsMessage = (info: Inspection): boolean =>
  label(info, labels.terminationMessagePolicy) === 'FallbackToLogsOnError' && info.State.ExitCode !== 0;

/** Longest termination message, in bytes. */
const longestMessage = 4096;

/** The beginning of a termination message file; empty if there is none. */
export async function readTerminationMessage(path: string): Promise<string> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(longestMessage), 0, longestMessage, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
