import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream } from 'ws';
import type { Pod } from '../../api/types/core-v1.ts';
import type { ContainerRuntime, PodLookup, StreamSession } from '../runtime/types.ts';
import { HttpError } from './http-error.ts';
import { podOf, runningContainer } from './pod-access.ts';
import { portNumber } from './port-forward/forward.ts';
import { PodDialer } from './port-forward/pod-dialer.ts';
import {
  portForwardProtocol,
  serveSpdyPortForward,
  tunnelProtocol,
} from './port-forward/spdy-port-forward.ts';
import { channelProtocol, serveChannelPortForward } from './port-forward/websocket-port-forward.ts';
import type { ContainerRoute, PortForwardRoute } from './routes.ts';
import type { RemoteOptions, RemoteSession } from './streams/remote-session.ts';
import { serveAttach, serveExec } from './streams/serve-command.ts';
import { SpdySession, spdyCommandProtocols } from './streams/spdy-session.ts';
import { failedBecause } from './streams/status.ts';
import { remoteCommandProtocols, WebSocketSession } from './streams/websocket-session.ts';
import { acceptSpdy, acceptWebSocket, upgradeKind } from './upgrade.ts';

/** A connection whose HTTP part is over. */
export interface UpgradeRequest {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  query: URLSearchParams;
}

export interface StreamingParts {
  lookup: PodLookup;
  runtime: ContainerRuntime;
}

/** The kubelet's own parameter names, and the API's, as other servers forward them. */
function remoteOptions(query: URLSearchParams): RemoteOptions {
  const is = (...names: string[]) => names.some((name) => /^(1|true)$/i.test(query.get(name) ?? ''));
  const options = {
    stdin: is('input', 'stdin'),
    stdout: is('output', 'stdout'),
    stderr: is('error', 'stderr'),
    tty: is('tty'),
  };
  if (!options.stdin && !options.stdout && !options.stderr)
    throw new HttpError(400, 'you must specify at least 1 of stdin, stdout, stderr');
  // A terminal has one output.
  return options.tty ? { ...options, stderr: false } : options;
}

async function acceptSession(upgrade: UpgradeRequest, options: RemoteOptions): Promise<RemoteSession> {
  const { request, socket, head } = upgrade;
  if (upgradeKind(request) === 'websocket') {
    const { websocket, protocol } = await acceptWebSocket(request, socket, head, remoteCommandProtocols);
    return new WebSocketSession(websocket, options, protocol);
  }
  return SpdySession.accept(socket, options, acceptSpdy(request, socket, head, spdyCommandProtocols));
}

/** Serves exec and attach. @throws {HttpError} before the connection is upgraded */
export async function serveCommand(
  { lookup, runtime }: StreamingParts,
  route: ContainerRoute<'exec'> | ContainerRoute<'attach'>,
  upgrade: UpgradeRequest,
): Promise<void> {
  const options = remoteOptions(upgrade.query);
  const pod = podOf(lookup, route.namespace, route.pod, route.uid);
  const { id } = runningContainer(lookup, pod, route.container);
  const command = upgrade.query.getAll('command');
  if (route.name === 'exec' && command.length === 0)
    throw new HttpError(400, 'you must specify at least 1 command');
  const session = await acceptSession(upgrade, options);
  let process: StreamSession;
  try {
    process =
      route.name === 'exec'
        ? await runtime.exec(id, { command, ...options })
        : await runtime.attach(id, { ...options, tty: (await runtime.details(id)).tty });
  } catch (error) {
    const doing = route.name === 'exec' ? 'executing command in' : 'attaching to';
    session.finish(failedBecause(`error ${doing} container: ${(error as Error).message}`));
    return;
  }
  await (route.name === 'exec' ? serveExec(session, process) : serveAttach(session, process));
}

async function dialerFor({ lookup, runtime }: StreamingParts, pod: Pod): Promise<PodDialer> {
  if (pod.spec?.hostNetwork) return new PodDialer({ ip: '127.0.0.1', pid: 0 });
  const sandbox = lookup.sandbox(pod);
  if (sandbox?.state !== 'running' || !sandbox.ip)
    throw new HttpError(
      500,
      `pod not found (${JSON.stringify(`${pod.metadata?.name}_${pod.metadata?.namespace}`)})`,
    );
  const { pid } = await runtime.details(sandbox.id);
  return new PodDialer({ ip: sandbox.ip, pid });
}

/** Serves port forwarding in its three wire forms. @throws {HttpError} before the connection is upgraded */
export async function servePortForward(
  parts: StreamingParts,
  route: PortForwardRoute,
  { request, socket, head, query }: UpgradeRequest,
): Promise<void> {
  const pod = podOf(parts.lookup, route.namespace, route.pod, route.uid);
  const kind = upgradeKind(request);
  const dialer = await dialerFor(parts, pod);
  const target = { pod: pod.metadata?.name ?? '', uid: pod.metadata?.uid ?? '' };
  try {
    if (kind === 'spdy') {
      acceptSpdy(request, socket, head, [portForwardProtocol]);
      return await serveSpdyPortForward(socket, dialer, target);
    }
    const ports = [...query.getAll('port'), ...query.getAll('ports')].flatMap((text) => text.split(','));
    const numbers = ports.map(portNumber);
    if (numbers.includes(undefined)) throw new HttpError(400, `query parameter "port" must be a port number`);
    const { websocket, protocol } = await acceptWebSocket(request, socket, head, [
      tunnelProtocol,
      channelProtocol,
    ]);
    if (protocol === tunnelProtocol)
      return await serveSpdyPortForward(createWebSocketStream(websocket), dialer, target);
    await serveChannelPortForward(websocket, dialer, target, numbers as number[]);
  } finally {
    await dialer.close();
  }
}
