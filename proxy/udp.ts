import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Balancer } from './balancer.ts';
import type { Endpoint, Scope } from './plan.ts';

/** Milliseconds a flow lives without a datagram: before and after the first answer, as conntrack does. */
export interface UdpTimings {
  unanswered: number;
  answered: number;
}

const udpTimings: UdpTimings = { unanswered: 30_000, answered: 120_000 };
/** Flows of one frontend; beyond it the flow used least recently ends. */
const longestFlows = 4096;

export interface UdpFrontendOptions {
  /** The addresses to listen on: one socket each, so that an answer leaves from the address that was asked. */
  addresses: readonly string[];
  port: number;
  scope: Scope;
  balancer: Balancer;
  timings?: UdpTimings;
}

/** The datagrams between one client address and one endpoint. */
interface Flow {
  endpoint: Endpoint;
  readonly client: RemoteInfo;
  readonly listener: Socket;
  upstream: Socket;
  readonly tried: Set<string>;
  /** Sent but not answered yet: sent again to another endpoint if this one refuses. */
  first: Buffer | undefined;
  answered: boolean;
  until: number;
}

/**
 * Listens on one UDP port and keeps a flow for each client, so that answers find their way back.
 *
 * A flow whose endpoint leaves the list moves to another at the client's next datagram.
 */
export class UdpFrontend {
  readonly #options: UdpFrontendOptions;
  readonly #timings: UdpTimings;
  readonly #listeners: Socket[] = [];
  readonly #flows = new Map<string, Flow>();
  #sweep: NodeJS.Timeout | undefined;
  #closed = false;
  port = 0;

  private constructor(options: UdpFrontendOptions) {
    this.#options = options;
    this.#timings = options.timings ?? udpTimings;
  }

  /** @throws the socket's error, such as EADDRINUSE */
  static async listen(options: UdpFrontendOptions): Promise<UdpFrontend> {
    const frontend = new UdpFrontend(options);
    try {
      for (const address of options.addresses) await frontend.#bind(address);
    } catch (error) {
      frontend.close();
      throw error;
    }
    return frontend;
  }

  get flows(): number {
    return this.#flows.size;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#sweep);
    for (const listener of this.#listeners) listener.close();
    for (const flow of this.#flows.values()) flow.upstream.close();
    this.#flows.clear();
  }

  #bind(address: string): Promise<void> {
    const listener = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    return new Promise((resolve, reject) => {
      listener.once('error', reject);
      listener.bind({ address, port: this.#options.port, exclusive: true }, () => {
        listener.off('error', reject);
        // Errors of single datagrams; the client's own retry is the answer to them.
        listener.on('error', () => undefined);
        listener.on('message', (data, client) => this.#receive(listener, data, client));
        this.port = listener.address().port;
        this.#listeners.push(listener);
        resolve();
      });
    });
  }

  #receive(listener: Socket, data: Buffer, client: RemoteInfo): void {
    const key = `${client.address}:${client.port}`;
    let flow = this.#flows.get(key);
    if (flow && !this.#options.balancer.has(flow.endpoint)) {
      this.#end(key, flow);
      flow = undefined;
    }
    if (!flow) {
      const tried = new Set<string>();
      const endpoint = this.#options.balancer.choose(client.address, this.#options.scope, tried);
      if (!endpoint) return;
      flow = {
        endpoint,
        client,
        listener,
        upstream: createSocket('udp4'),
        tried,
        first: data,
        answered: false,
        until: 0,
      };
      this.#connect(key, flow);
      this.#makeRoom();
      this.#sweep ??= setInterval(() => this.#expire(), 5_000).unref();
    } else {
      flow.upstream.send(data, (error) => error && this.#upstreamFailed(key, flow!));
    }
    // Map order is order of use: the first entry is the one to end when there is no room.
    this.#flows.delete(key);
    this.#flows.set(key, flow);
    this.#touch(flow);
  }

  #connect(key: string, flow: Flow): void {
    const { upstream, endpoint, client, listener } = flow;
    flow.tried.add(endpoint.key);
    upstream.on('error', () => this.#upstreamFailed(key, flow, upstream));
    upstream.on('message', (data) => {
      if (!flow.answered) {
        flow.answered = true;
        flow.first = undefined;
        this.#options.balancer.succeeded(client.address, endpoint);
      }
      this.#touch(flow);
      listener.send(data, client.port, client.address, ignore);
    });
    upstream.connect(endpoint.port, endpoint.ip, (...args: unknown[]) => {
      if (args[0]) this.#upstreamFailed(key, flow, upstream);
      else if (flow.first && this.#flows.get(key) === flow) upstream.send(flow.first, ignore);
    });
  }

  /** The endpoint's host says that nobody listens there: another endpoint gets what was not answered. */
  #upstreamFailed(key: string, flow: Flow, upstream = flow.upstream): void {
    if (this.#flows.get(key) !== flow || flow.upstream !== upstream) return;
    const { balancer, scope } = this.#options;
    balancer.failed(flow.client.address, flow.endpoint);
    const other = flow.answered ? undefined : balancer.choose(flow.client.address, scope, flow.tried);
    if (!other) {
      this.#end(key, flow);
      return;
    }
    flow.upstream.close();
    flow.endpoint = other;
    flow.upstream = createSocket('udp4');
    this.#connect(key, flow);
  }

  #touch(flow: Flow): void {
    flow.until = performance.now() + (flow.answered ? this.#timings.answered : this.#timings.unanswered);
  }

  #end(key: string, flow: Flow): void {
    this.#flows.delete(key);
    flow.upstream.close();
  }

  #makeRoom(): void {
    if (this.#flows.size < longestFlows) return;
    for (const [key, flow] of this.#flows) {
      this.#end(key, flow);
      return;
    }
  }

  #expire(): void {
    const now = performance.now();
    for (const [key, flow] of this.#flows) if (flow.until <= now) this.#end(key, flow);
    if (this.#flows.size || this.#closed) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }
}

/** A datagram may be lost; who needs an answer asks again. */
const ignore = (): void => undefined;
