import type { Endpoint, Scope } from './plan.ts';

/** An endpoint that could not be reached is tried last for this long, in milliseconds. */
const suspicion = 2_000;
/** Clients remembered for session affinity; the least recent are forgotten first. */
const rememberedClients = 65_536;

export interface BalancerPlan {
  readonly all: readonly Endpoint[];
  readonly node: readonly Endpoint[];
  readonly affinitySeconds?: number;
}

/**
 * Chooses the endpoint for each new connection of one Service port: round robin, or the client's last one
 * with session affinity. All frontends of the port share it, so that a client meets the same endpoint on the
 * cluster IP and on a node port.
 *
 * What it remembers (turn, affinity, suspects) survives a change of endpoints.
 */
export class Balancer {
  readonly #now: () => number;
  readonly #isInside: (client: string) => boolean;
  #plan: BalancerPlan;
  #turn: number;
  #keys: ReadonlySet<string>;
  readonly #affinity = new Map<string, { endpoint: string; until: number }>();
  readonly #suspects = new Map<string, number>();
  readonly #waiting = new Set<() => void>();

  /** `now` in milliseconds; `firstTurn` spreads the first choices of many nodes. */
  constructor(options: {
    plan: BalancerPlan;
    now: () => number;
    firstTurn: number;
    isInside: (client: string) => boolean;
  }) {
    this.#plan = options.plan;
    this.#now = options.now;
    this.#turn = options.firstTurn;
    this.#isInside = options.isInside;
    this.#keys = keysOf(options.plan);
  }

  update(plan: BalancerPlan): void {
    this.#plan = plan;
    this.#keys = keysOf(plan);
    for (const suspect of this.#suspects.keys()) if (!this.#keys.has(suspect)) this.#suspects.delete(suspect);
    if (plan.affinitySeconds === undefined) this.#affinity.clear();
    for (const wake of [...this.#waiting]) wake();
  }

  /** Whether the endpoint is still in use: UDP flows to one that is not are moved. */
  has(endpoint: Endpoint): boolean {
    return this.#keys.has(endpoint.key);
  }

  /** The next endpoint for a client, none of `tried`; undefined when there is no other. */
  choose(client: string, scope: Scope, tried?: ReadonlySet<string>): Endpoint | undefined {
    const endpoints = this.#endpoints(client, scope);
    const count = endpoints.length;
    if (!count) return undefined;
    const sticky = this.#sticky(client);
    if (sticky && !tried?.has(sticky)) {
      const endpoint = endpoints.find((candidate) => candidate.key === sticky);
      if (endpoint) return endpoint;
    }
    const first = this.#turn++ % count;
    let second: Endpoint | undefined;
    for (let i = 0; i < count; i++) {
      const endpoint = endpoints[(first + i) % count]!;
      if (tried?.has(endpoint.key)) continue;
      if (!this.#isSuspect(endpoint)) return endpoint;
      second ??= endpoint;
    }
    return second;
  }

  /** The client was connected: with session affinity it stays there. */
  succeeded(client: string, endpoint: Endpoint): void {
    if (this.#suspects.size) this.#suspects.delete(endpoint.key);
    const { affinitySeconds } = this.#plan;
    if (affinitySeconds === undefined) return;
    this.#affinity.delete(client);
    this.#affinity.set(client, { endpoint: endpoint.key, until: this.#now() + affinitySeconds * 1000 });
    if (this.#affinity.size <= rememberedClients) return;
    for (const oldest of this.#affinity.keys()) {
      this.#affinity.delete(oldest);
      return;
    }
  }

  /** The endpoint could not be reached: others are preferred for a while, and affinity to it ends. */
  failed(client: string, endpoint: Endpoint): void {
    if (this.has(endpoint)) this.#suspects.set(endpoint.key, this.#now() + suspicion);
    if (this.#affinity.get(client)?.endpoint === endpoint.key) this.#affinity.delete(client);
  }

  /** Resolves at the next change of endpoints, or after `milliseconds`. */
  changed(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, milliseconds);
      this.#waiting.add(wake);
    });
  }

  #endpoints(client: string, scope: Scope): readonly Endpoint[] {
    if (scope === 'all') return this.#plan.all;
    if (scope === 'node') return this.#plan.node;
    return this.#isInside(client) ? this.#plan.all : this.#plan.node;
  }

  #sticky(client: string): string | undefined {
    if (this.#plan.affinitySeconds === undefined) return undefined;
    const entry = this.#affinity.get(client);
    if (!entry) return undefined;
    if (entry.until > this.#now()) return entry.endpoint;
    this.#affinity.delete(client);
    return undefined;
  }

  #isSuspect(endpoint: Endpoint): boolean {
    if (!this.#suspects.size) return false;
    const until = this.#suspects.get(endpoint.key);
    if (until === undefined) return false;
    if (until > this.#now()) return true;
    this.#suspects.delete(endpoint.key);
    return false;
  }
}

const keysOf = (plan: BalancerPlan): ReadonlySet<string> =>
  new Set([...plan.all, ...plan.node].map((endpoint) => endpoint.key));
