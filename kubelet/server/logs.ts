import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ContainerRuntime, PodLookup } from '../runtime/types.ts';
import { LogDecoder } from './log-lines.ts';
import { parseLogOptions } from './log-options.ts';
import { containerWithLog, podOf } from './pod-access.ts';

export interface LogTarget {
  namespace: string;
  pod: string;
  container: string;
}

/**
 * Answers `/containerLogs`: the log as asked for, while it is followed until the container ends or the client
 * goes. @throws {HttpError} before anything is written
 */
export async function serveLogs(
  { lookup, runtime }: { lookup: PodLookup; runtime: ContainerRuntime },
  target: LogTarget,
  query: URLSearchParams,
  response: ServerResponse<IncomingMessage>,
): Promise<void> {
  const { limitBytes, stream, tailLines, timestamps, ...options } = parseLogOptions(query, Date.now());
  const pod = podOf(lookup, target.namespace, target.pod);
  const { id } = containerWithLog(lookup, pod, target.container, options.previous);
  const { tty } = await runtime.details(id);
  const abort = new AbortController();
  response.once('close', () => abort.abort());
  const log = await runtime.logs(id, { ...options, timestamps, tail: tailLines, signal: abort.signal });
  const decoder = new LogDecoder({ framed: !tty, timestamps, stream });
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
  let left = limitBytes ?? Number.POSITIVE_INFINITY;
  try {
    for await (const chunk of log)
      for (const entry of decoder.push(chunk as Buffer)) {
        const part = entry.subarray(0, left);
        left -= part.length;
        if (!response.write(part)) await once(response, 'drain', { signal: abort.signal });
        if (left === 0) return;
      }
  } catch (error) {
    if (abort.signal.aborted) return;
    throw error;
  } finally {
    abort.abort();
    response.end();
  }
}
