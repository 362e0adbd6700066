import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { FrameDecoder } from '../../runtime/frames.ts';
import { NotFoundError, type StreamSession } from '../../runtime/types.ts';
import type { RemoteSession } from './remote-session.ts';
import { exitedWith, failedBecause, type RemoteStatus, succeeded } from './status.ts';

/** Between two looks whether a command whose output has ended has exited, the first and the longest wait. */
const exitPollMs = { first: 10, longest: 1000 };

/** The exit code of a command whose container was removed under it: it got SIGKILL. */
const killed = 137;

async function write(output: Writable | undefined, chunk: Buffer, gone: AbortSignal): Promise<void> {
  if (!output?.writable) return;
  if (!output.write(chunk)) await once(output, 'drain', { signal: gone });
}

/** Copies until both directions of the process have ended. Rejects when the client goes. */
async function copyStreams(session: RemoteSession, process: StreamSession): Promise<void> {
  const { stream, tty } = process;
  const { gone } = session;
  gone.throwIfAborted();
  const stop = () => stream.destroy();
  gone.addEventListener('abort', stop, { once: true });
  // A process that has closed its stdin is no failure.
  stream.on('error', () => undefined);
  session.stdin?.pipe(stream);
  session.onResize((size) => void process.resize(size).catch(() => undefined));
  try {
    const parts: ['stdout' | 'stderr', Buffer][] = [];
    const decoder = new FrameDecoder((channel, chunk) => parts.push([channel, chunk]));
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      if (tty) parts.push(['stdout', chunk as Buffer]);
      else decoder.push(chunk as Buffer);
      for (const [channel, part] of parts.splice(0)) await write(session[channel], part, gone);
    }
  } finally {
    gone.removeEventListener('abort', stop);
    session.stdin?.unpipe(stream);
    session.stdin?.resume();
  }
}

/** A command may close its output and go on: waits for its end, or for the client's. */
async function waitForExit(session: RemoteSession, process: StreamSession): Promise<number> {
  for (let wait = exitPollMs.first; ; wait = Math.min(wait * 2, exitPollMs.longest)) {
    const code = await process.exitCode().catch((error: unknown) => {
      if (error instanceof NotFoundError) return killed;
      throw error;
    });
    if (code !== undefined) return code;
    await delay(wait, undefined, { signal: session.gone });
  }
}

/**
 * Connects a client to a command started for it, and tells the client how the command ended. When the client
 * goes away first, or the streams break, the command is ended, so that none is left running without anybody.
 */
export async function serveExec(session: RemoteSession, process: StreamSession): Promise<void> {
  let status: RemoteStatus;
  try {
    await copyStreams(session, process);
    const code = await waitForExit(session, process);
    status = code === 0 ? succeeded : exitedWith(code);
  } catch (error) {
    process.stream.destroy();
    await process.terminate();
    status = failedBecause(`error executing command in container: ${(error as Error).message}`);
  }
  process.stream.destroy();
  if (!session.gone.aborted) session.finish(status);
}

/** Connects a client to a container's own process, which goes on when the client leaves. */
export async function serveAttach(session: RemoteSession, process: StreamSession): Promise<void> {
  let status = succeeded;
  try {
    await copyStreams(session, process);
  } catch (error) {
    status = failedBecause(`error attaching to container: ${(error as Error).message}`);
  }
  process.stream.destroy();
  if (!session.gone.aborted) session.finish(status);
}
