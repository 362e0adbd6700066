import { connect, type Socket } from 'node:net';
import type { Balancer } from './balancer.ts';
import type { Endpoint, Scope } from './plan.ts';

/** Milliseconds. */
export interface DialTimings {
  /** An endpoint that has not answered by then is raced by the next one. */
  hedge: number;
  /** How long one client waits in all to be connected. */
  deadline: number;
  /** How long to wait for another endpoint after every known one has refused. */
  patience: number;
}

export const dialTimings: DialTimings = { hedge: 250, deadline: 10_000, patience: 1_000 };

export interface DialOptions {
  balancer: Balancer;
  client: string;
  scope: Scope;
  /** Endpoints that are not to be tried; those tried are added. */
  tried: Set<string>;
  timings?: DialTimings;
}

/**
 * Connects a client to an endpoint. Endpoints that refuse, or are slow to answer, are followed by the next
 * one, so that a client is turned away only if no endpoint takes it: the list of endpoints lags behind the
 * pods, and a pod that is gone refuses (or, when its address is gone, is silent) before the list says so.
 *
 * Calls back exactly once: with a connected socket, or with undefined.
 */
export function dial(
  options: DialOptions,
  done: (socket: Socket | undefined, endpoint: Endpoint | undefined) => void,
): void {
  const { balancer, client, scope, tried, timings = dialTimings } = options;
  const pending = new Map<Socket, Endpoint>();
  let settled = false;
  let waited = false;
  let hedge: NodeJS.Timeout | undefined;
  const deadline = setTimeout(() => settle(undefined, undefined), timings.deadline);

  const settle = (socket: Socket | undefined, endpoint: Endpoint | undefined) => {
    if (settled) return;
    settled = true;
    clearTimeout(deadline);
    clearTimeout(hedge);
    for (const [loser, slow] of pending) {
      if (loser === socket) continue;
      if (!socket) balancer.failed(client, slow);
      loser.destroy();
    }
    done(socket, endpoint);
  };

  const waitForOthers = async () => {
    if (waited) return settle(undefined, undefined);
    waited = true;
    const until = performance.now() + timings.patience;
    for (let left = timings.patience; left > 0 && !settled; left = until - performance.now()) {
      await balancer.changed(left);
      if (balancer.choose(client, scope, tried)) return attempt();
    }
    settle(undefined, undefined);
  };

  const attempt = () => {
    if (settled) return;
    clearTimeout(hedge);
    const endpoint = balancer.choose(client, scope, tried);
    if (!endpoint) {
      if (!pending.size) void waitForOthers();
      return;
    }
    tried.add(endpoint.key);
    const socket = connect({
      host: endpoint.ip,
      port: endpoint.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      allowHalfOpen: true,
    });
    pending.set(socket, endpoint);
    hedge = setTimeout(attempt, timings.hedge);
    const failed = () => {
      pending.delete(socket);
      if (settled) return;
      balancer.failed(client, endpoint);
      attempt();
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      pending.delete(socket);
      // A loser of the race that connects before it is destroyed carries nothing and may go.
      if (settled) return void socket.destroy();
      balancer.succeeded(client, endpoint);
      settle(socket, endpoint);
    });
  };
  attempt();
}
