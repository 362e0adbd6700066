import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';

/** Traffic to an address and port that somebody else holds on this node, sent to another port of the address. */
export interface Diversion {
  readonly protocol: 'TCP' | 'UDP';
  readonly address: string;
  readonly port: number;
  readonly to: number;
}

/** Makes and ends diversions. */
export interface Diverter {
  /** @throws when the rule cannot be made */
  divert(diversion: Diversion): Promise<void>;
  restore(diversion: Diversion): Promise<void>;
}

export interface ServiceRulesOptions {
  clusterName: string;
  serviceCIDR: string;
}

const note = (clusterName: string) => ['-m', 'comment', '--comment', `nekalakube:${clusterName}`];

/** The chain's name: one a cluster, within iptables' 28 characters. */
export const chainOf = ({ clusterName, serviceCIDR }: ServiceRulesOptions): string =>
  `NKUBE-SERVICES-${createHash('sha256').update(`${clusterName} ${serviceCIDR}`).digest('hex').slice(0, 8)}`;

const jumpOf = (options: ServiceRulesOptions): string[] => [
  '-d',
  options.serviceCIDR,
  ...note(options.clusterName),
  '-j',
  chainOf(options),
];

const parents = ['PREROUTING', 'OUTPUT'];

/**
 * Input for `iptables-restore --noflush` that fills the chain anew, in one step: diversions, and everything else
 * to the service network accepted before other rules see it. Service addresses are local to the node, so that
 * rules for ports published on the node's addresses (Docker's) would otherwise catch services of the same port.
 */
export function chainRules(options: ServiceRulesOptions, diversions: Iterable<Diversion>): string {
  const chain = chainOf(options);
  const comment = note(options.clusterName).join(' ');
  const lines = [...diversions].map(({ protocol, address, port, to }) => {
    const match = `-d ${address}/32 -p ${protocol.toLowerCase()} --dport ${port}`;
    return `-A ${chain} ${match} ${comment} -j DNAT --to-destination ${address}:${to}`;
  });
  return `${['*nat', `:${chain} - [0:0]`, ...lines, `-A ${chain} ${comment} -j ACCEPT`, 'COMMIT'].join('\n')}\n`;
}

class CommandError extends Error {
  override name = 'CommandError';
  readonly missing: boolean;

  constructor(message: string, missing: boolean) {
    super(message);
    this.missing = missing;
  }
}

function run(command: string, args: readonly string[], input = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      errors += chunk;
    });
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(new CommandError(error.message, error.code === 'ENOENT')),
    );
    child.on('close', (code) =>
      code === 0
        ? resolve()
        : reject(new CommandError(`${command} ${args.join(' ')}: ${errors.trim()}`, false)),
    );
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/**
 * The few packet filter rules of the proxy. Changes are made one after another; each leaves the chain whole.
 * Without iptables on the machine there is nothing to protect from, and nothing can be diverted.
 */
export class ServiceRules implements Diverter {
  readonly #options: ServiceRulesOptions;
  readonly #diversions = new Map<string, Diversion>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ServiceRulesOptions) {
    this.#options = options;
  }

  /** Makes chain and jumps, or puts back what is missing. Resolves to whether the machine has iptables. */
  ensure(): Promise<boolean> {
    return this.#queue(async () => {
      try {
        let whole = true;
        for (const parent of parents) whole = (await this.#has(parent)) && whole;
        if (whole) return true;
        await this.#fill();
        for (const parent of parents)
          if (!(await this.#has(parent))) await run('iptables', this.#command('-I', parent));
        return true;
      } catch (error) {
        if (error instanceof CommandError && error.missing) return false;
        throw error;
      }
    });
  }

  /** Fills the chain anew at the start: diversions of an earlier process lead nowhere. */
  async reset(): Promise<boolean> {
    this.#diversions.clear();
    const possible = await this.ensure();
    if (possible) await this.#queue(() => this.#fill());
    return possible;
  }

  async divert(diversion: Diversion): Promise<void> {
    this.#diversions.set(keyOf(diversion), diversion);
    try {
      await this.#queue(() => this.#fill());
    } catch (error) {
      this.#diversions.delete(keyOf(diversion));
      throw error;
    }
  }

  async restore(diversion: Diversion): Promise<void> {
    if (this.#diversions.delete(keyOf(diversion))) await this.#queue(() => this.#fill());
  }

  /** Takes everything back. Doing it again changes nothing. */
  remove(): Promise<void> {
    const chain = chainOf(this.#options);
    return this.#queue(async () => {
      try {
        for (const parent of parents)
          while (await this.#has(parent)) await run('iptables', this.#command('-D', parent));
        for (const action of ['-F', '-X'])
          await run('iptables', ['-w', '-t', 'nat', action, chain]).catch((error: CommandError) => {
            if (!/No chain/.test(error.message)) throw error;
          });
      } catch (error) {
        if (!(error instanceof CommandError && error.missing)) throw error;
      }
    });
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  #fill(): Promise<void> {
    return run('iptables-restore', ['-w', '--noflush'], chainRules(this.#options, this.#diversions.values()));
  }

  #command(action: '-C' | '-I' | '-D', parent: string): string[] {
    return ['-w', '-t', 'nat', action, parent, ...jumpOf(this.#options)];
  }

  #has(parent: string): Promise<boolean> {
    return run('iptables', this.#command('-C', parent)).then(
      () => true,
      (error: CommandError) => {
        if (error.missing) throw error;
        return false;
      },
    );
  }
}

const keyOf = ({ protocol, address, port }: Diversion) => `${protocol} ${address}:${port}`;
