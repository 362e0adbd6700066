import type { EtcdClient } from '../../store/testing/etcd.ts';
import type { History } from './store-history.ts';

/** How far a request has come: an answer that never arrived leaves it asked. */
type Progress = 'not asked' | 'asked' | 'acknowledged';

interface Held {
  id: bigint;
  seconds: number;
  granted: Progress;
  /** Its key, `lease/<id>`. */
  attached: Progress;
  revoked: Progress;
  /** A request for it is under way. */
  busy: boolean;
}

const prefix = 'lease/';
const keyOf = ({ id }: Held) => Buffer.from(`${prefix}${id}`);
const stateOf = ({ granted, attached, revoked }: Held) => `${granted}, ${attached}, ${revoked}`;

/** Leases that clients are granted, attach a key to and revoke; none lives shorter than a run. */
export class Leases {
  private readonly history: History;
  private readonly held: Held[] = [];

  constructor(history: History) {
    this.history = history;
  }

  /** How many grants were acknowledged. */
  get granted(): number {
    return this.held.filter(({ granted }) => granted === 'acknowledged').length;
  }

  async operate(etcd: EtcdClient, random: () => number): Promise<void> {
    const settled = this.held.filter(
      ({ granted, attached, revoked }) =>
        granted === 'acknowledged' && attached === 'acknowledged' && revoked === 'not asked',
    );
    if (settled.length > 5 && random() < 0.5)
      await this.revoke(etcd, settled[Math.floor(random() * settled.length)]!);
    else await this.grant(etcd);
  }

  private async grant(etcd: EtcdClient): Promise<void> {
    const number = this.held.length + 1;
    const held: Held = {
      id: BigInt(number),
      seconds: 10_000 + number,
      granted: 'asked',
      attached: 'not asked',
      revoked: 'not asked',
      busy: true,
    };
    this.held.push(held);
    this.history.operations += 2;
    try {
      await etcd.leaseGrant({ ID: held.id, TTL: held.seconds });
      held.granted = 'acknowledged';
      held.attached = 'asked';
      const { header } = await etcd.put({ key: keyOf(held), value: Buffer.from('held'), lease: held.id });
      held.attached = 'acknowledged';
      this.history.told(header!.revision);
    } finally {
      held.busy = false;
    }
  }

  private async revoke(etcd: EtcdClient, held: Held): Promise<void> {
    held.revoked = 'asked';
    held.busy = true;
    this.history.operations++;
    try {
      const { header } = await etcd.leaseRevoke({ ID: held.id });
      held.revoked = 'acknowledged';
      this.history.told(header!.revision);
    } finally {
      held.busy = false;
    }
  }

  /** Looks whether every lease is there that must be, with its time and its key, and no other. */
  async check(etcd: EtcdClient): Promise<void> {
    const before = this.held.filter(({ busy }) => !busy).map((held) => [held, stateOf(held)] as const);
    const [{ leases }, { kvs }] = await Promise.all([
      etcd.leaseLeases({}),
      etcd.range({ key: Buffer.from(prefix), range_end: Buffer.from('lease0') }),
    ]);
    const there = new Set(leases.map(({ ID }) => ID));
    const keys = new Map(kvs.map(({ key, lease }) => [String(key), lease]));
    const certain: Held[] = [];
    for (const [held, state] of before) {
      // What clients are just changing may be seen before or after.
      if (held.busy || stateOf(held) !== state) continue;
      const problem = problemOf(held, there.has(held.id), keys.get(String(keyOf(held))));
      if (problem) this.history.problems.push(`${problem} (${state})`);
      else if (held.granted === 'acknowledged' && held.revoked === 'not asked') certain.push(held);
    }
    await this.checkTimes(etcd, certain.slice(-3));
  }

  private async checkTimes(etcd: EtcdClient, leases: readonly Held[]): Promise<void> {
    for (const held of leases) {
      const { grantedTTL } = await etcd.leaseTimeToLive({ ID: held.id });
      if (held.revoked === 'not asked' && grantedTTL !== held.seconds)
        this.history.problems.push(
          `D1: lease ${held.id} was granted for ${held.seconds} s and has ${grantedTTL}`,
        );
    }
  }
}

function problemOf(held: Held, isThere: boolean, keyLease: bigint | undefined): string | undefined {
  const { id, granted, attached, revoked } = held;
  if (keyLease !== undefined && !isThere) return `D4: the key of lease ${id} is there, but not the lease`;
  if (keyLease !== undefined && keyLease !== id) return `D1: the key of lease ${id} has lease ${keyLease}`;
  if (revoked === 'acknowledged' && isThere) return `D1: lease ${id} is there after it was revoked`;
  if (revoked !== 'not asked') return undefined;
  if (granted === 'acknowledged' && !isThere) return `D1: lease ${id} is lost`;
  if (attached === 'acknowledged' && keyLease === undefined) return `D1: the key of lease ${id} is lost`;
  return undefined;
}
