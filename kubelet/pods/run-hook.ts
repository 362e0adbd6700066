import { setTimeout as delay } from 'node:timers/promises';
import type { Container, LifecycleHandler } from '../../api/types/core-v1.ts';
import { httpGet, targetURL } from '../probes/http-request.ts';
import type { ContainerRuntime } from '../runtime/types.ts';

export interface HookInput {
  runtime: Pick<ContainerRuntime, 'execSync'>;
  handler: LifecycleHandler;
  container: Container;
  containerID: string;
  podIP: string;
  /** Aborting gives the hook up. */
  signal: AbortSignal;
}

/**
 * Runs a postStart or preStop hook to its end.
 * https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
 * @throws {Error} with what the hook said, if it failed
 */
export async function runHook(input: HookInput): Promise<void> {
  const { runtime, handler, container, containerID, podIP, signal } = input;
  if (handler.exec) {
    const command = handler.exec.command ?? [];
    const { exitCode, output } = await runtime.execSync(containerID, command, signal);
    if (exitCode !== 0)
      throw new Error(`command '${command.join(' ')}' exited with ${exitCode}: ${output.trim()}`);
  } else if (handler.httpGet) {
    const url = targetURL(handler.httpGet, container, podIP);
    const { code } = await httpGet(url, handler.httpGet, signal, 'kube-lifecycle');
    if (code >= 400) throw new Error(`HTTP hook failed with statuscode: ${code}`);
  } else if (handler.sleep) {
    await delay(handler.sleep.seconds * 1000, undefined, { signal });
  }
}
