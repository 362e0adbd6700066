import type { Input } from '../../api/etcd/codec.ts';
import type { ResponseHeader } from '../../api/etcd/messages.ts';
import type { Faults } from '../fault.ts';
import type { Lessor } from '../lease/lessor.ts';
import type { Member } from '../member.ts';
import type { Disk } from '../mvcc/disk.ts';
import type { Mvcc } from '../mvcc/mvcc.ts';
import type { Quota } from '../quota.ts';
import type { WatchHub } from '../watch/hub.ts';

/** What the services are made of. */
export interface StoreContext {
  mvcc: Mvcc;
  disk: Disk;
  faults: Faults;
  quota: Quota;
  /** Where temporary files may be made. */
  dataDir: string;
  lessor: Lessor;
  hub: WatchHub;
  member: Member;
  limits: StoreLimits;
  /** Switches alarms on or off for good. */
  setAlarms(types: readonly number[], on: boolean): Promise<void>;
}

export interface StoreLimits {
  /** Operations in one level of a transaction. */
  maxTxnOps: number;
  /** Bytes of one request that writes. */
  maxRequestBytes: number;
}

/** The header of a response; `revision` is the durable one unless given. */
export function header(context: StoreContext, revision = context.mvcc.revision): Input<ResponseHeader> {
  const { clusterId, memberId, term } = context.member;
  return { cluster_id: clusterId, member_id: memberId, revision, raft_term: term };
}
