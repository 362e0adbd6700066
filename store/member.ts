import { enumerations, type Infer, message, uint64Id } from '../api/etcd/codec.ts';
import { AlarmType } from '../api/etcd/messages.ts';

/** Who this store is, as kept on disk. */
export const MemberRecord = message({
  cluster_id: uint64Id(1),
  member_id: uint64Id(2),
  alarms: enumerations(3, AlarmType),
});
export type MemberRecord = Infer<typeof MemberRecord>;

/** The one member of the cluster, and its alarms. */
export interface Member {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Raft's term: never changes, since there are no elections. */
  readonly term: number;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly alarms: Set<number>;
}
