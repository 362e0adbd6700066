import type { Log } from '../../client/log.ts';
import type { Diversion, Diverter } from '../service-rules.ts';
import { DnsServer, type Respond } from './server.ts';

const dnsPort = 53;
/** Milliseconds between tries. */
const retryPeriod = 2_000;

export interface ClusterDnsOptions {
  address: string;
  respond: Respond;
  /** Leads the port elsewhere where another name server of the node holds it on all addresses. */
  diverter?: Diverter | undefined;
  log: Log;
}

/** Cluster DNS on its address, tried until it can listen and `signal` has not aborted. */
export class ClusterDns {
  readonly #options: ClusterDnsOptions;
  #server: DnsServer | undefined;
  #diversions: Diversion[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ClusterDnsOptions) {
    this.#options = options;
  }

  /** Resolves after the first try, whether it could listen or not. */
  async start(): Promise<void> {
    const { address, log } = this.#options;
    try {
      const server = await this.#listen();
      if (this.#closed) server.close();
      else this.#server = server;
      log.info({ address, port: server.port }, 'cluster DNS answers');
    } catch (error) {
      log.warn({ address, err: (error as Error).message }, 'cluster DNS cannot listen, trying again');
      if (!this.#closed) this.#timer = setTimeout(() => void this.start(), retryPeriod);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#server?.close();
    for (const diversion of this.#diversions) await this.#options.diverter?.restore(diversion);
  }

  async #listen(): Promise<DnsServer> {
    const { address, respond, diverter } = this.#options;
    try {
      return await DnsServer.listen({ address, port: dnsPort, respond });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !diverter) throw error;
      const server = await DnsServer.listen({ address, port: 0, respond });
      try {
        this.#diversions = (['UDP', 'TCP'] as const).map((protocol) => {
          return { protocol, address, port: dnsPort, to: server.port };
        });
        for (const diversion of this.#diversions) await diverter.divert(diversion);
        return server;
      } catch (problem) {
        server.close();
        throw problem;
      }
    }
  }
}
