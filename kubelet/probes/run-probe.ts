import { connect } from 'node:net';
import type { Container, Probe } from '../../api/types/core-v1.ts';
import { version } from '../../client/version.ts';
import type { ContainerRuntime } from '../runtime/types.ts';
import { grpcHealth } from './grpc-health.ts';
import { httpGet, portNumber, targetURL } from './http-request.ts';
import { probeTimeout } from './probe-state.ts';

export interface ProbeResult {
  success: boolean;
  /** For the event `Unhealthy`; of failures. */
  message: string;
}

export interface ProbeTarget {
  container: Container;
  containerID: string;
  podIP: string;
}

const userAgent = `kube-probe/${version.major}.${version.minor}`;
const ok: ProbeResult = { success: true, message: '' };
const failed = (message: string): ProbeResult => ({ success: false, message });

/** A connection error in Go's words, which people search for. */
function dialError(error: unknown, address: string): string {
  const code = (error as NodeJS.ErrnoException).code;
  const causes: Record<string, string> = {
    ECONNREFUSED: 'connect: connection refused',
    EHOSTUNREACH: 'connect: no route to host',
    ENETUNREACH: 'connect: network is unreachable',
    ETIMEDOUT: 'i/o timeout',
  };
  const cause = code ? causes[code] : undefined;
  return cause ? `dial tcp ${address}: ${cause}` : (error as Error).message;
}

async function http(probe: Probe, target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  const action = probe.httpGet!;
  const url = targetURL(action, target.container, target.podIP);
  try {
    const { code } = await httpGet(url, action, signal, userAgent);
    return code >= 200 && code < 400 ? ok : failed(`HTTP probe failed with statuscode: ${code}`);
  } catch (error) {
    const why = signal.aborted
      ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
      : dialError(
          error,
          url.host.includes(':') ? url.host : `${url.host}:${url.protocol === 'https:' ? 443 : 80}`,
        );
    return failed(`Get "${url.href}": ${why}`);
  }
}

function tcp(probe: Probe, target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  const action = probe.tcpSocket!;
  const host = action.host || target.podIP;
  const port = portNumber(action.port as number | string, target.container);
  if (port === undefined) throw new Error(`couldn't find port: ${JSON.stringify(action.port)}`);
  const address = `${host}:${port}`;
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal });
    socket.once('connect', () => {
      socket.destroy();
      resolve(ok);
    });
    socket.once('error', (error) =>
      resolve(failed(signal.aborted ? `dial tcp ${address}: i/o timeout` : dialError(error, address))),
    );
  });
}

async function exec(
  runtime: Pick<ContainerRuntime, 'execSync'>,
  probe: Probe,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const command = probe.exec!.command ?? [];
  try {
    const { exitCode, output } = await runtime.execSync(target.containerID, command, signal);
    return exitCode === 0 ? ok : failed(output);
  } catch (error) {
    if (!signal.aborted) throw error;
    return failed(
      `command timed out: ${JSON.stringify(command.join(' '))} timed out after ${probe.timeoutSeconds ?? 1}s`,
    );
  }
}

async function grpc(probe: Probe, target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  const { port, service } = probe.grpc!;
  const address = `${target.podIP}:${port}`;
  try {
    const problem = await grpcHealth(target.podIP, port, service ?? '', signal);
    return problem === undefined ? ok : failed(problem);
  } catch (error) {
    if (signal.aborted)
      return failed(
        `timeout: failed to connect service "${address}" within ${probe.timeoutSeconds ?? 1}s: context deadline exceeded`,
      );
    return failed(`error: ${dialError(error, address)}`);
  }
}

/**
 * Asks a container once how it is. Resolves within the probe's timeout.
 * @throws if the question cannot be asked at all (no such port, runtime down): neither success nor failure
 */
export async function runProbe(
  runtime: Pick<ContainerRuntime, 'execSync'>,
  probe: Probe,
  target: ProbeTarget,
): Promise<ProbeResult> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(new Error('probe timed out')), probeTimeout(probe));
  try {
    if (probe.exec) return await exec(runtime, probe, target, timeout.signal);
    if (probe.httpGet) return await http(probe, target, timeout.signal);
    if (probe.tcpSocket) return await tcp(probe, target, timeout.signal);
    if (probe.grpc) return await grpc(probe, target, timeout.signal);
    throw new Error(`missing probe handler for ${target.container.name}`);
  } finally {
    clearTimeout(timer);
  }
}
