import type { Codec, Input } from '../../api/etcd/codec.ts';
import * as m from '../../api/etcd/messages.ts';
import type { GrpcClient, OpenStream } from '../grpc/client.ts';
import type { GrpcError } from '../grpc/status.ts';

/** etcd's unary methods on a {@link GrpcClient}, by name. */
export class EtcdClient {
  readonly client: GrpcClient;

  constructor(client: GrpcClient) {
    this.client = client;
  }

  private unary<Q, S>(service: string, method: string, request: Codec<Q>, response: Codec<S>) {
    const path = `/etcdserverpb.${service}/${method}`;
    return (message: Input<Q>): Promise<S> => this.client.call(path, { request, response }, message);
  }

  range = (q: Input<m.RangeRequest>) => this.unary('KV', 'Range', m.RangeRequest, m.RangeResponse)(q);
  put = (q: Input<m.PutRequest>) => this.unary('KV', 'Put', m.PutRequest, m.PutResponse)(q);
  deleteRange = (q: Input<m.DeleteRangeRequest>) =>
    this.unary('KV', 'DeleteRange', m.DeleteRangeRequest, m.DeleteRangeResponse)(q);
  txn = (q: Input<m.TxnRequest>) => this.unary('KV', 'Txn', m.TxnRequest, m.TxnResponse)(q);
  compact = (q: Input<m.CompactionRequest>) =>
    this.unary('KV', 'Compact', m.CompactionRequest, m.CompactionResponse)(q);
  leaseGrant = (q: Input<m.LeaseGrantRequest>) =>
    this.unary('Lease', 'LeaseGrant', m.LeaseGrantRequest, m.LeaseGrantResponse)(q);
  leaseRevoke = (q: Input<m.LeaseRevokeRequest>) =>
    this.unary('Lease', 'LeaseRevoke', m.LeaseRevokeRequest, m.LeaseRevokeResponse)(q);
  leaseTimeToLive = (q: Input<m.LeaseTimeToLiveRequest>) =>
    this.unary('Lease', 'LeaseTimeToLive', m.LeaseTimeToLiveRequest, m.LeaseTimeToLiveResponse)(q);
  leaseLeases = (q: Input<m.LeaseLeasesRequest>) =>
    this.unary('Lease', 'LeaseLeases', m.LeaseLeasesRequest, m.LeaseLeasesResponse)(q);
  status = (q: Input<m.StatusRequest>) =>
    this.unary('Maintenance', 'Status', m.StatusRequest, m.StatusResponse)(q);
  hashKV = (q: Input<m.HashKVRequest>) =>
    this.unary('Maintenance', 'HashKV', m.HashKVRequest, m.HashKVResponse)(q);
  alarm = (q: Input<m.AlarmRequest>) =>
    this.unary('Maintenance', 'Alarm', m.AlarmRequest, m.AlarmResponse)(q);
  defragment = (q: Input<m.DefragmentRequest>) =>
    this.unary('Maintenance', 'Defragment', m.DefragmentRequest, m.DefragmentResponse)(q);
  memberList = (q: Input<m.MemberListRequest>) =>
    this.unary('Cluster', 'MemberList', m.MemberListRequest, m.MemberListResponse)(q);

  watch(listener: {
    onMessage(message: m.WatchResponse): void;
    onEnd(error: GrpcError | undefined): void;
  }): OpenStream<m.WatchRequest> {
    const codecs = { request: m.WatchRequest, response: m.WatchResponse };
    return this.client.stream('/etcdserverpb.Watch/Watch', codecs, listener);
  }
}
