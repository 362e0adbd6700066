import type { Log } from '../client/log.ts';
import { Balancer } from './balancer.ts';
import type { Frontend, PortPlan, ServicePlan } from './plan.ts';
import type { Diversion, Diverter } from './service-rules.ts';
import { type Connections, TcpFrontend } from './tcp.ts';
import { UdpFrontend } from './udp.ts';

/** Waits before a failed listen is tried again, in milliseconds: the first, doubled up to the longest. */
const retry = { first: 500, longest: 30_000 };

interface Claim {
  readonly service: string;
  readonly frontend: Frontend;
  readonly balancer: Balancer;
}

interface Listening {
  readonly claim: Claim;
  readonly addresses: readonly string[];
  close(): void;
}

/** One address and port, and the Service ports that want it: the first to come has it. */
interface Slot {
  readonly key: string;
  readonly claims: Map<string, Claim>;
  active: Listening | undefined;
  working: boolean;
  /** Something changed while it was worked on. */
  again: boolean;
  failures: number;
  timer: NodeJS.Timeout | undefined;
}

export interface ProxierOptions {
  connections: Connections;
  log: Log;
  isInside: (client: string) => boolean;
  /** The node's own addresses to listen on for node ports; `0.0.0.0` alone for all of TCP. */
  nodePortAddresses: (protocol: 'TCP' | 'UDP') => readonly string[];
  /** Told once when a Service's port cannot be opened, for an Event. */
  onProblem: (service: string, message: string) => void;
  /** Sends the traffic of a service address whose port another process holds to another port of it. */
  diverter?: Diverter | undefined;
  /** Called before a listen is tried again: the route may be gone. */
  repair?: () => Promise<void>;
}

/**
 * Brings the listeners of this node to what the Services ask.
 *
 * Invariant: each address and port (slot) is worked on by one reconcile at a time, and at most one Service
 * port listens there. A change of endpoints alone opens and closes nothing.
 */
export class Proxier {
  readonly #options: ProxierOptions;
  readonly #services = new Map<string, readonly PortPlan[]>();
  readonly #balancers = new Map<string, Balancer>();
  readonly #slots = new Map<string, Slot>();
  #closed = false;

  constructor(options: ProxierOptions) {
    this.#options = options;
  }

  /** Slots that are wanted, and those of them that listen. */
  get counts(): { services: number; wanted: number; listening: number } {
    let listening = 0;
    for (const slot of this.#slots.values()) if (slot.active) listening++;
    return { services: this.#services.size, wanted: this.#slots.size, listening };
  }

  /** Takes over the plan of one Service; an empty plan ends it. */
  sync(service: string, plan: ServicePlan): void {
    const before = this.#services.get(service) ?? [];
    if (plan.ports.length) this.#services.set(service, plan.ports);
    else this.#services.delete(service);
    const touched = new Set<Slot>();
    const ids = new Set(plan.ports.map((port) => port.id));
    const wanted = new Set<string>();
    for (const port of plan.ports) {
      const balancer = this.#balancerOf(port);
      for (const frontend of port.frontends) {
        wanted.add(`${frontend.key} ${port.id}`);
        const slot = this.#slotOf(frontend.key);
        slot.claims.set(port.id, { service, frontend, balancer });
        touched.add(slot);
      }
    }
    for (const port of before) {
      for (const frontend of port.frontends) {
        const slot = this.#slots.get(frontend.key);
        if (!slot || wanted.has(`${frontend.key} ${port.id}`)) continue;
        slot.claims.delete(port.id);
        touched.add(slot);
      }
      if (!ids.has(port.id)) {
        this.#balancers.get(port.id)?.update({ all: [], node: [] });
        this.#balancers.delete(port.id);
      }
    }
    for (const slot of touched) this.#start(slot);
  }

  /** Looks again at the node's own addresses, which come and go with its interfaces. */
  refreshNodeAddresses(): void {
    for (const slot of this.#slots.values()) {
      const { active } = slot;
      if (active && !active.claim.frontend.address && !this.#isCurrent(active, active.claim))
        this.#start(slot);
    }
  }

  /** Stops listening everywhere. */
  close(): void {
    this.#closed = true;
    for (const slot of this.#slots.values()) {
      clearTimeout(slot.timer);
      slot.claims.clear();
      this.#start(slot);
    }
  }

  #balancerOf(port: PortPlan): Balancer {
    const known = this.#balancers.get(port.id);
    if (known) {
      known.update(port);
      return known;
    }
    const balancer = new Balancer({
      plan: port,
      now: () => performance.now(),
      firstTurn: Math.floor(Math.random() * 1024),
      isInside: this.#options.isInside,
    });
    this.#balancers.set(port.id, balancer);
    return balancer;
  }

  #slotOf(key: string): Slot {
    let slot = this.#slots.get(key);
    if (!slot) {
      slot = {
        key,
        claims: new Map(),
        active: undefined,
        working: false,
        again: false,
        failures: 0,
        timer: undefined,
      };
      this.#slots.set(key, slot);
    }
    return slot;
  }

  #start(slot: Slot): void {
    if (slot.working) {
      slot.again = true;
      return;
    }
    slot.working = true;
    void this.#reconcile(slot).finally(() => {
      slot.working = false;
      if (slot.again) {
        slot.again = false;
        this.#start(slot);
      } else if (!slot.claims.size && !slot.active) {
        clearTimeout(slot.timer);
        this.#slots.delete(slot.key);
      }
    });
  }

  async #reconcile(slot: Slot): Promise<void> {
    for (;;) {
      const claim: Claim | undefined = slot.claims.values().next().value;
      if (slot.active && !(claim && this.#isCurrent(slot.active, claim))) {
        slot.active.close();
        slot.active = undefined;
      }
      if (!claim || slot.active) return;
      try {
        slot.active = await this.#listen(claim);
        slot.failures = 0;
      } catch (error) {
        this.#failed(slot, claim, error as NodeJS.ErrnoException);
        return;
      }
    }
  }

  #isCurrent(active: Listening, claim: Claim): boolean {
    return (
      active.claim.balancer === claim.balancer &&
      active.claim.frontend.scope === claim.frontend.scope &&
      active.addresses.join() === this.#addressesOf(claim.frontend).join()
    );
  }

  #addressesOf(frontend: Frontend): readonly string[] {
    return frontend.address ? [frontend.address] : this.#options.nodePortAddresses(frontend.protocol);
  }

  async #listen(claim: Claim): Promise<Listening> {
    const { frontend } = claim;
    const addresses = this.#addressesOf(frontend);
    try {
      return await this.#listenAt(claim, addresses, frontend.port);
    } catch (error) {
      const { diverter } = this.#options;
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!taken || !diverter || !frontend.divertible) throw error;
      const listening = await this.#listenAt(claim, addresses, 0);
      const diversion: Diversion = { ...frontend, to: listening.port };
      await diverter.divert(diversion).catch((problem: Error) => {
        listening.close();
        throw problem;
      });
      this.#options.log.info(
        { service: claim.service, frontend: frontend.key },
        'port is taken on the node: diverted',
      );
      const close = () => {
        listening.close();
        diverter
          .restore(diversion)
          .catch((problem: Error) =>
            this.#options.log.warn({ err: problem.message }, 'cannot end a diversion'),
          );
      };
      return { ...listening, close };
    }
  }

  async #listenAt(
    claim: Claim,
    addresses: readonly string[],
    port: number,
  ): Promise<Listening & { port: number }> {
    const { frontend, balancer } = claim;
    const { scope } = frontend;
    if (frontend.protocol === 'UDP') {
      const listening = await UdpFrontend.listen({ addresses, port, scope, balancer });
      return { claim, addresses, port: listening.port, close: () => listening.close() };
    }
    const { connections } = this.#options;
    const opened: TcpFrontend[] = [];
    const close = () => {
      for (const listening of opened) listening.close();
    };
    try {
      for (const address of addresses)
        opened.push(await TcpFrontend.listen({ address, port, scope, balancer, connections }));
    } catch (error) {
      close();
      throw error;
    }
    return { claim, addresses, port: opened[0]?.port ?? 0, close };
  }

  #failed(slot: Slot, claim: Claim, error: NodeJS.ErrnoException): void {
    const { log, onProblem, repair } = this.#options;
    const why = error.code === 'EADDRINUSE' ? 'another process listens there' : error.message;
    const message = `cannot listen on ${slot.key}: ${why}; trying again`;
    const fields = { service: claim.service, frontend: slot.key, code: error.code };
    if (error.code === 'EADDRNOTAVAIL' && !claim.frontend.divertible) {
      // An external address is another node's business unless this node has it.
      log.debug(fields, message);
    } else if (slot.failures === 0) {
      log.warn(fields, message);
      onProblem(claim.service, message);
    }
    if (this.#closed) return;
    const wait = Math.min(retry.first * 2 ** slot.failures++, retry.longest);
    clearTimeout(slot.timer);
    slot.timer = setTimeout(() => {
      const repaired = error.code === 'EADDRNOTAVAIL' && repair ? repair() : Promise.resolve();
      void repaired
        .catch((problem: Error) => log.warn({ err: problem.message }, 'cannot restore the service route'))
        .then(() => this.#start(slot));
    }, wait);
  }
}
