import type { Duplex, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { engine } from './docker-errors.ts';
import { FrameDecoder } from './frames.ts';
import { killProcessGroup } from './process-group.ts';
import type { ExecOptions, ExecResult, LogOptions, StreamSession } from './types.ts';

/** Output of a probe or hook that is kept, in bytes. */
const longestOutput = 10 * 1024;

/** Docker answers the start of a command before there is a process: milliseconds between looks, and how many. */
const startPollMs = 50;
const longestStartPolls = 60;

/** Docker takes `since` as seconds with a fraction. */
const sinceText = (seconds: number): string => seconds.toFixed(9);

/** The container's log from the engine, framed unless it has a TTY. */
export async function openLogs(docker: Docker, id: string, options: LogOptions): Promise<Readable> {
  const common = {
    stdout: true,
    stderr: true,
    timestamps: options.timestamps ?? false,
    ...(options.tail !== undefined && { tail: options.tail }),
    // The type says number, the engine takes fractions only as text.
    ...(options.since !== undefined && { since: sinceText(options.since) as unknown as number }),
  };
  // dockerode reads a log that is not followed into memory as a whole; its modem streams it.
  const request = {
    path: `/containers/${id}/logs?`,
    method: 'GET',
    options: { ...common, follow: options.follow ?? false },
    abortSignal: options.signal,
    isStream: true,
    statusCodes: { 200: true, 404: 'no such container', 500: 'server error' },
  };
  return engine(
    () =>
      new Promise<Readable>((resolve, reject) => {
        docker.modem.dial(request, (error, stream) => {
          if (error) reject(error);
          else resolve(stream as Readable);
        });
      }),
  );
}

/** The process of a command that was started; undefined if it never comes to be. */
async function processOf(exec: Docker.Exec): Promise<number | undefined> {
  for (let attempt = 0; attempt < longestStartPolls; attempt++) {
    const { Pid, ExitCode } = await engine(() => exec.inspect());
    if (Pid > 0) return Pid;
    if (ExitCode !== null) return undefined;
    await delay(startPollMs);
  }
  return undefined;
}

/** Starts a command in a running container with its streams attached. */
export async function openExec(docker: Docker, id: string, options: ExecOptions): Promise<StreamSession> {
  const tty = options.tty ?? false;
  const exec = await engine(() =>
    docker.getContainer(id).exec({
      Cmd: options.command,
      AttachStdin: options.stdin ?? false,
      AttachStdout: options.stdout ?? true,
      AttachStderr: options.stderr ?? true,
      Tty: tty,
    }),
  );
  const stream = await engine(() => exec.start({ hijack: true, stdin: options.stdin ?? false, Tty: tty }));
  // Asked at once: when a connection breaks, the engine forgets a command that goes on running.
  const started = processOf(exec).catch(() => undefined);
  return {
    stream,
    tty,
    resize: ({ width, height }) => engine(() => exec.resize({ w: width, h: height })),
    exitCode: async () => {
      const { ExitCode, Running } = await engine(() => exec.inspect());
      return Running ? undefined : (ExitCode ?? undefined);
    },
    terminate: async () => {
      const pid = await started;
      if (pid) await killProcessGroup(pid, id);
    },
  };
}

/** Attaches to the container's own process. */
export async function openAttach(
  docker: Docker,
  id: string,
  options: { stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean },
): Promise<StreamSession> {
  const container = docker.getContainer(id);
  const { tty, ...channels } = options;
  const stream = await engine(() => container.attach({ stream: true, hijack: true, ...channels }));
  return {
    stream: stream as Duplex,
    tty,
    resize: ({ width, height }) => engine(() => container.resize({ w: width, h: height })),
    exitCode: async () => {
      const { State } = await engine(() => container.inspect());
      return State.Running ? undefined : State.ExitCode;
    },
    terminate: async () => undefined,
  };
}

/** Runs a command to its end; aborting kills it and rejects without waiting for that. */
export async function runExec(
  docker: Docker,
  id: string,
  command: string[],
  signal: AbortSignal,
): Promise<ExecResult> {
  const session = await openExec(docker, id, { command });
  const abort = () => {
    session.stream.destroy();
    // A container that is gone meanwhile has ended its commands itself.
    session.terminate().catch(() => undefined);
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    const kept: Buffer[] = [];
    let length = 0;
    const decoder = new FrameDecoder((_channel, chunk) => {
      if (length >= longestOutput) return;
      kept.push(chunk.subarray(0, longestOutput - length));
      length += chunk.length;
    });
    if (signal.aborted) abort();
    else for await (const chunk of session.stream) decoder.push(chunk as Buffer);
    signal.throwIfAborted();
    const exitCode = await session.exitCode();
    return { exitCode: exitCode ?? 0, output: Buffer.concat(kept).toString('utf8') };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    session.stream.destroy();
  }
}
