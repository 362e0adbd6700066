import { addressAt, type CIDR, cidrContains, formatCIDR, sizeOfCIDR } from '../../api/net.ts';

/** Index in the pod CIDR of the bridge's own address. */
export const gatewayIndex = 1;

/**
 * Addresses of one pod CIDR for pods. Invariant: no address has two holders through `allocate`. The search goes
 * on from the address given last, so that a freed one is not soon another pod's: peers may still have it cached.
 */
export class AddressPool {
  readonly #cidr: CIDR;
  readonly #held = new Map<string, string>();
  #last = gatewayIndex;

  constructor(cidr: CIDR) {
    this.#cidr = cidr;
  }

  /** @throws {Error} when every address is held. */
  allocate(uid: string): string {
    const held = this.#held.get(uid);
    if (held !== undefined && cidrContains(this.#cidr, held)) return held;
    const used = new Set(this.#held.values());
    // Not the network's own address, the gateway, and the broadcast address.
    const first = gatewayIndex + 1;
    const count = sizeOfCIDR(this.#cidr) - first - 1;
    for (let step = 0; step < count; step++) {
      const index = first + ((this.#last + 1 - first + step) % count);
      const address = addressAt(this.#cidr, index);
      if (used.has(address)) continue;
      this.#last = index;
      this.#held.set(uid, address);
      return address;
    }
    throw new Error(`no free address left in the pod CIDR ${formatCIDR(this.#cidr)}`);
  }

  adopt(uid: string, ip: string): void {
    this.#held.set(uid, ip);
  }

  release(uid: string): void {
    this.#held.delete(uid);
  }

  /** A pool for another CIDR that knows the same holders. */
  moveTo(cidr: CIDR): AddressPool {
    const pool = new AddressPool(cidr);
    for (const [uid, ip] of this.#held) pool.adopt(uid, ip);
    return pool;
  }
}
