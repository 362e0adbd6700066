/**
 * The messages of etcd's v3 gRPC API, as descriptors: etcd's rpc.proto, kv.proto and auth.proto, 3.4 to 3.5.
 * Specified at https://etcd.io/docs/v3.5/dev-guide/api_reference_v3/
 *
 * Each message is a codec and a type of the same name. Lease, member and cluster ids are bigint.
 */
import {
  bool,
  byteStrings,
  bytes,
  type Codec,
  embedded,
  enumeration,
  enumerations,
  enumType,
  type Infer,
  int64,
  int64Id,
  memberBytes,
  memberInt64,
  memberInt64Id,
  memberMessage,
  message,
  repeated,
  string,
  strings,
  uint32,
  uint64,
  uint64Id,
} from './codec.ts';

export const EventType = enumType('Event.EventType', { put: 0, delete: 1 });

export const SortOrder = enumType('RangeRequest.SortOrder', { none: 0, ascend: 1, descend: 2 });

export const SortTarget = enumType('RangeRequest.SortTarget', {
  key: 0,
  version: 1,
  create: 2,
  mod: 3,
  value: 4,
});

export const CompareResult = enumType('Compare.CompareResult', {
  equal: 0,
  greater: 1,
  less: 2,
  notEqual: 3,
});

export const CompareTarget = enumType('Compare.CompareTarget', {
  version: 0,
  create: 1,
  mod: 2,
  value: 3,
  lease: 4,
});

export const FilterType = enumType('WatchCreateRequest.FilterType', { noput: 0, nodelete: 1 });

export const AlarmType = enumType('AlarmType', { none: 0, nospace: 1, corrupt: 2 });

export const AlarmAction = enumType('AlarmRequest.AlarmAction', { get: 0, activate: 1, deactivate: 2 });

export const DowngradeAction = enumType('DowngradeRequest.DowngradeAction', {
  validate: 0,
  enable: 1,
  cancel: 2,
});

export const PermissionType = enumType('Permission.Type', { read: 0, write: 1, readwrite: 2 });

export const ResponseHeader = message({
  cluster_id: uint64Id(1),
  member_id: uint64Id(2),
  revision: int64(3),
  raft_term: uint64(4),
});
export type ResponseHeader = Infer<typeof ResponseHeader>;

export const KeyValue = message({
  key: bytes(1),
  create_revision: int64(2),
  mod_revision: int64(3),
  version: int64(4),
  value: bytes(5),
  lease: int64Id(6),
});
export type KeyValue = Infer<typeof KeyValue>;

export const Event = message({
  type: enumeration(1, EventType),
  kv: embedded(2, () => KeyValue),
  prev_kv: embedded(3, () => KeyValue),
});
export type Event = Infer<typeof Event>;

export const RangeRequest = message({
  key: bytes(1),
  range_end: bytes(2),
  limit: int64(3),
  revision: int64(4),
  sort_order: enumeration(5, SortOrder),
  sort_target: enumeration(6, SortTarget),
  serializable: bool(7),
  keys_only: bool(8),
  count_only: bool(9),
  min_mod_revision: int64(10),
  max_mod_revision: int64(11),
  min_create_revision: int64(12),
  max_create_revision: int64(13),
});
export type RangeRequest = Infer<typeof RangeRequest>;

export const RangeResponse = message({
  header: embedded(1, () => ResponseHeader),
  kvs: repeated(2, () => KeyValue),
  more: bool(3),
  count: int64(4),
});
export type RangeResponse = Infer<typeof RangeResponse>;

export const PutRequest = message({
  key: bytes(1),
  value: bytes(2),
  lease: int64Id(3),
  prev_kv: bool(4),
  ignore_value: bool(5),
  ignore_lease: bool(6),
});
export type PutRequest = Infer<typeof PutRequest>;

export const PutResponse = message({
  header: embedded(1, () => ResponseHeader),
  prev_kv: embedded(2, () => KeyValue),
});
export type PutResponse = Infer<typeof PutResponse>;

export const DeleteRangeRequest = message({
  key: bytes(1),
  range_end: bytes(2),
  prev_kv: bool(3),
});
export type DeleteRangeRequest = Infer<typeof DeleteRangeRequest>;

export const DeleteRangeResponse = message({
  header: embedded(1, () => ResponseHeader),
  deleted: int64(2),
  prev_kvs: repeated(3, () => KeyValue),
});
export type DeleteRangeResponse = Infer<typeof DeleteRangeResponse>;

export interface RequestOp {
  request_range: RangeRequest | undefined;
  request_put: PutRequest | undefined;
  request_delete_range: DeleteRangeRequest | undefined;
  request_txn: TxnRequest | undefined;
}

export const RequestOp: Codec<RequestOp> = message({
  request_range: memberMessage(1, 'request', () => RangeRequest),
  request_put: memberMessage(2, 'request', () => PutRequest),
  request_delete_range: memberMessage(3, 'request', () => DeleteRangeRequest),
  request_txn: memberMessage(4, 'request', () => TxnRequest),
});

export interface ResponseOp {
  response_range: RangeResponse | undefined;
  response_put: PutResponse | undefined;
  response_delete_range: DeleteRangeResponse | undefined;
  response_txn: TxnResponse | undefined;
}

export const ResponseOp: Codec<ResponseOp> = message({
  response_range: memberMessage(1, 'response', () => RangeResponse),
  response_put: memberMessage(2, 'response', () => PutResponse),
  response_delete_range: memberMessage(3, 'response', () => DeleteRangeResponse),
  response_txn: memberMessage(4, 'response', () => TxnResponse),
});

export const Compare = message({
  result: enumeration(1, CompareResult),
  target: enumeration(2, CompareTarget),
  key: bytes(3),
  version: memberInt64(4, 'target_union'),
  create_revision: memberInt64(5, 'target_union'),
  mod_revision: memberInt64(6, 'target_union'),
  value: memberBytes(7, 'target_union'),
  lease: memberInt64Id(8, 'target_union'),
  range_end: bytes(64),
});
export type Compare = Infer<typeof Compare>;

export interface TxnRequest {
  compare: Compare[];
  success: RequestOp[];
  failure: RequestOp[];
}

export const TxnRequest: Codec<TxnRequest> = message({
  compare: repeated(1, () => Compare),
  success: repeated(2, () => RequestOp),
  failure: repeated(3, () => RequestOp),
});

export interface TxnResponse {
  header: ResponseHeader | undefined;
  succeeded: boolean;
  responses: ResponseOp[];
}

export const TxnResponse: Codec<TxnResponse> = message({
  header: embedded(1, () => ResponseHeader),
  succeeded: bool(2),
  responses: repeated(3, () => ResponseOp),
});

export const CompactionRequest = message({
  revision: int64(1),
  physical: bool(2),
});
export type CompactionRequest = Infer<typeof CompactionRequest>;

export const CompactionResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type CompactionResponse = Infer<typeof CompactionResponse>;

export const HashRequest = message({});
export type HashRequest = Infer<typeof HashRequest>;

export const HashKVRequest = message({
  revision: int64(1),
});
export type HashKVRequest = Infer<typeof HashKVRequest>;

export const HashKVResponse = message({
  header: embedded(1, () => ResponseHeader),
  hash: uint32(2),
  compact_revision: int64(3),
});
export type HashKVResponse = Infer<typeof HashKVResponse>;

export const HashResponse = message({
  header: embedded(1, () => ResponseHeader),
  hash: uint32(2),
});
export type HashResponse = Infer<typeof HashResponse>;

export const SnapshotRequest = message({});
export type SnapshotRequest = Infer<typeof SnapshotRequest>;

export const SnapshotResponse = message({
  header: embedded(1, () => ResponseHeader),
  remaining_bytes: uint64(2),
  blob: bytes(3),
});
export type SnapshotResponse = Infer<typeof SnapshotResponse>;

export const WatchRequest = message({
  create_request: memberMessage(1, 'request_union', () => WatchCreateRequest),
  cancel_request: memberMessage(2, 'request_union', () => WatchCancelRequest),
  progress_request: memberMessage(3, 'request_union', () => WatchProgressRequest),
});
export type WatchRequest = Infer<typeof WatchRequest>;

export const WatchCreateRequest = message({
  key: bytes(1),
  range_end: bytes(2),
  start_revision: int64(3),
  progress_notify: bool(4),
  filters: enumerations(5, FilterType),
  prev_kv: bool(6),
  watch_id: int64(7),
  fragment: bool(8),
});
export type WatchCreateRequest = Infer<typeof WatchCreateRequest>;

export const WatchCancelRequest = message({
  watch_id: int64(1),
});
export type WatchCancelRequest = Infer<typeof WatchCancelRequest>;

export const WatchProgressRequest = message({});
export type WatchProgressRequest = Infer<typeof WatchProgressRequest>;

export const WatchResponse = message({
  header: embedded(1, () => ResponseHeader),
  watch_id: int64(2),
  created: bool(3),
  canceled: bool(4),
  compact_revision: int64(5),
  cancel_reason: string(6),
  fragment: bool(7),
  events: repeated(11, () => Event),
});
export type WatchResponse = Infer<typeof WatchResponse>;

export const LeaseGrantRequest = message({
  TTL: int64(1),
  ID: int64Id(2),
});
export type LeaseGrantRequest = Infer<typeof LeaseGrantRequest>;

export const LeaseGrantResponse = message({
  header: embedded(1, () => ResponseHeader),
  ID: int64Id(2),
  TTL: int64(3),
  error: string(4),
});
export type LeaseGrantResponse = Infer<typeof LeaseGrantResponse>;

export const LeaseRevokeRequest = message({
  ID: int64Id(1),
});
export type LeaseRevokeRequest = Infer<typeof LeaseRevokeRequest>;

export const LeaseRevokeResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type LeaseRevokeResponse = Infer<typeof LeaseRevokeResponse>;

export const LeaseKeepAliveRequest = message({
  ID: int64Id(1),
});
export type LeaseKeepAliveRequest = Infer<typeof LeaseKeepAliveRequest>;

export const LeaseKeepAliveResponse = message({
  header: embedded(1, () => ResponseHeader),
  ID: int64Id(2),
  TTL: int64(3),
});
export type LeaseKeepAliveResponse = Infer<typeof LeaseKeepAliveResponse>;

export const LeaseTimeToLiveRequest = message({
  ID: int64Id(1),
  keys: bool(2),
});
export type LeaseTimeToLiveRequest = Infer<typeof LeaseTimeToLiveRequest>;

export const LeaseTimeToLiveResponse = message({
  header: embedded(1, () => ResponseHeader),
  ID: int64Id(2),
  TTL: int64(3),
  grantedTTL: int64(4),
  keys: byteStrings(5),
});
export type LeaseTimeToLiveResponse = Infer<typeof LeaseTimeToLiveResponse>;

export const LeaseLeasesRequest = message({});
export type LeaseLeasesRequest = Infer<typeof LeaseLeasesRequest>;

export const LeaseStatus = message({
  ID: int64Id(1),
});
export type LeaseStatus = Infer<typeof LeaseStatus>;

export const LeaseLeasesResponse = message({
  header: embedded(1, () => ResponseHeader),
  leases: repeated(2, () => LeaseStatus),
});
export type LeaseLeasesResponse = Infer<typeof LeaseLeasesResponse>;

export const Member = message({
  ID: uint64Id(1),
  name: string(2),
  peerURLs: strings(3),
  clientURLs: strings(4),
  isLearner: bool(5),
});
export type Member = Infer<typeof Member>;

export const MemberAddRequest = message({
  peerURLs: strings(1),
  isLearner: bool(2),
});
export type MemberAddRequest = Infer<typeof MemberAddRequest>;

export const MemberAddResponse = message({
  header: embedded(1, () => ResponseHeader),
  member: embedded(2, () => Member),
  members: repeated(3, () => Member),
});
export type MemberAddResponse = Infer<typeof MemberAddResponse>;

export const MemberRemoveRequest = message({
  ID: uint64Id(1),
});
export type MemberRemoveRequest = Infer<typeof MemberRemoveRequest>;

export const MemberRemoveResponse = message({
  header: embedded(1, () => ResponseHeader),
  members: repeated(2, () => Member),
});
export type MemberRemoveResponse = Infer<typeof MemberRemoveResponse>;

export const MemberUpdateRequest = message({
  ID: uint64Id(1),
  peerURLs: strings(2),
});
export type MemberUpdateRequest = Infer<typeof MemberUpdateRequest>;

export const MemberUpdateResponse = message({
  header: embedded(1, () => ResponseHeader),
  members: repeated(2, () => Member),
});
export type MemberUpdateResponse = Infer<typeof MemberUpdateResponse>;

export const MemberListRequest = message({
  linearizable: bool(1),
});
export type MemberListRequest = Infer<typeof MemberListRequest>;

export const MemberListResponse = message({
  header: embedded(1, () => ResponseHeader),
  members: repeated(2, () => Member),
});
export type MemberListResponse = Infer<typeof MemberListResponse>;

export const MemberPromoteRequest = message({
  ID: uint64Id(1),
});
export type MemberPromoteRequest = Infer<typeof MemberPromoteRequest>;

export const MemberPromoteResponse = message({
  header: embedded(1, () => ResponseHeader),
  members: repeated(2, () => Member),
});
export type MemberPromoteResponse = Infer<typeof MemberPromoteResponse>;

export const DefragmentRequest = message({});
export type DefragmentRequest = Infer<typeof DefragmentRequest>;

export const DefragmentResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type DefragmentResponse = Infer<typeof DefragmentResponse>;

export const MoveLeaderRequest = message({
  targetID: uint64Id(1),
});
export type MoveLeaderRequest = Infer<typeof MoveLeaderRequest>;

export const MoveLeaderResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type MoveLeaderResponse = Infer<typeof MoveLeaderResponse>;

export const AlarmRequest = message({
  action: enumeration(1, AlarmAction),
  memberID: uint64Id(2),
  alarm: enumeration(3, AlarmType),
});
export type AlarmRequest = Infer<typeof AlarmRequest>;

export const AlarmMember = message({
  memberID: uint64Id(1),
  alarm: enumeration(2, AlarmType),
});
export type AlarmMember = Infer<typeof AlarmMember>;

export const AlarmResponse = message({
  header: embedded(1, () => ResponseHeader),
  alarms: repeated(2, () => AlarmMember),
});
export type AlarmResponse = Infer<typeof AlarmResponse>;

export const DowngradeRequest = message({
  action: enumeration(1, DowngradeAction),
  version: string(2),
});
export type DowngradeRequest = Infer<typeof DowngradeRequest>;

export const DowngradeResponse = message({
  header: embedded(1, () => ResponseHeader),
  version: string(2),
});
export type DowngradeResponse = Infer<typeof DowngradeResponse>;

export const StatusRequest = message({});
export type StatusRequest = Infer<typeof StatusRequest>;

export const StatusResponse = message({
  header: embedded(1, () => ResponseHeader),
  version: string(2),
  dbSize: int64(3),
  leader: uint64Id(4),
  raftIndex: uint64(5),
  raftTerm: uint64(6),
  raftAppliedIndex: uint64(7),
  errors: strings(8),
  dbSizeInUse: int64(9),
  isLearner: bool(10),
});
export type StatusResponse = Infer<typeof StatusResponse>;

export const AuthEnableRequest = message({});
export type AuthEnableRequest = Infer<typeof AuthEnableRequest>;

export const AuthDisableRequest = message({});
export type AuthDisableRequest = Infer<typeof AuthDisableRequest>;

export const AuthStatusRequest = message({});
export type AuthStatusRequest = Infer<typeof AuthStatusRequest>;

export const AuthenticateRequest = message({
  name: string(1),
  password: string(2),
});
export type AuthenticateRequest = Infer<typeof AuthenticateRequest>;

export const AuthUserAddRequest = message({
  name: string(1),
  password: string(2),
  options: embedded(3, () => UserAddOptions),
});
export type AuthUserAddRequest = Infer<typeof AuthUserAddRequest>;

export const AuthUserGetRequest = message({
  name: string(1),
});
export type AuthUserGetRequest = Infer<typeof AuthUserGetRequest>;

export const AuthUserDeleteRequest = message({
  name: string(1),
});
export type AuthUserDeleteRequest = Infer<typeof AuthUserDeleteRequest>;

export const AuthUserChangePasswordRequest = message({
  name: string(1),
  password: string(2),
});
export type AuthUserChangePasswordRequest = Infer<typeof AuthUserChangePasswordRequest>;

export const AuthUserGrantRoleRequest = message({
  user: string(1),
  role: string(2),
});
export type AuthUserGrantRoleRequest = Infer<typeof AuthUserGrantRoleRequest>;

export const AuthUserRevokeRoleRequest = message({
  name: string(1),
  role: string(2),
});
export type AuthUserRevokeRoleRequest = Infer<typeof AuthUserRevokeRoleRequest>;

export const AuthRoleAddRequest = message({
  name: string(1),
});
export type AuthRoleAddRequest = Infer<typeof AuthRoleAddRequest>;

export const AuthRoleGetRequest = message({
  role: string(1),
});
export type AuthRoleGetRequest = Infer<typeof AuthRoleGetRequest>;

export const AuthUserListRequest = message({});
export type AuthUserListRequest = Infer<typeof AuthUserListRequest>;

export const AuthRoleListRequest = message({});
export type AuthRoleListRequest = Infer<typeof AuthRoleListRequest>;

export const AuthRoleDeleteRequest = message({
  role: string(1),
});
export type AuthRoleDeleteRequest = Infer<typeof AuthRoleDeleteRequest>;

export const AuthRoleGrantPermissionRequest = message({
  name: string(1),
  perm: embedded(2, () => Permission),
});
export type AuthRoleGrantPermissionRequest = Infer<typeof AuthRoleGrantPermissionRequest>;

export const AuthRoleRevokePermissionRequest = message({
  role: string(1),
  key: bytes(2),
  range_end: bytes(3),
});
export type AuthRoleRevokePermissionRequest = Infer<typeof AuthRoleRevokePermissionRequest>;

export const AuthEnableResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type AuthEnableResponse = Infer<typeof AuthEnableResponse>;

export const AuthDisableResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type AuthDisableResponse = Infer<typeof AuthDisableResponse>;

export const AuthStatusResponse = message({
  header: embedded(1, () => ResponseHeader),
  enabled: bool(2),
  authRevision: uint64(3),
});
export type AuthStatusResponse = Infer<typeof AuthStatusResponse>;

export const AuthenticateResponse = message({
  header: embedded(1, () => ResponseHeader),
  token: string(2),
});
export type AuthenticateResponse = Infer<typeof AuthenticateResponse>;

export const AuthUserAddResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type AuthUserAddResponse = Infer<typeof AuthUserAddResponse>;

export const AuthUserGetResponse = message({
  header: embedded(1, () => ResponseHeader),
  roles: strings(2),
});
export type AuthUserGetResponse = Infer<typeof AuthUserGetResponse>;

export const AuthUserDeleteResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type AuthUserDeleteResponse = Infer<typeof AuthUserDeleteResponse>;

export const AuthUserChangePasswordResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type AuthUserChangePasswordResponse = Infer<typeof AuthUserChangePasswordResponse>;

export const AuthUserGrantRoleResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type AuthUserGrantRoleResponse = Infer<typeof AuthUserGrantRoleResponse>;

export const AuthUserRevokeRoleResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type AuthUserRevokeRoleResponse = Infer<typeof AuthUserRevokeRoleResponse>;

export const AuthRoleAddResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type AuthRoleAddResponse = Infer<typeof AuthRoleAddResponse>;

export const AuthRoleGetResponse = message({
  header: embedded(1, () => ResponseHeader),
  perm: repeated(2, () => Permission),
});
export type AuthRoleGetResponse = Infer<typeof AuthRoleGetResponse>;

export const AuthRoleListResponse = message({
  header: embedded(1, () => ResponseHeader),
  roles: strings(2),
});
export type AuthRoleListResponse = Infer<typeof AuthRoleListResponse>;

export const AuthUserListResponse = message({
  header: embedded(1, () => ResponseHeader),
  users: strings(2),
});
export type AuthUserListResponse = Infer<typeof AuthUserListResponse>;

export const AuthRoleDeleteResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type AuthRoleDeleteResponse = Infer<typeof AuthRoleDeleteResponse>;

export const AuthRoleGrantPermissionResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type AuthRoleGrantPermissionResponse = Infer<typeof AuthRoleGrantPermissionResponse>;

export const AuthRoleRevokePermissionResponse = message({
  header: embedded(1, () => ResponseHeader),
});
export type AuthRoleRevokePermissionResponse = Infer<typeof AuthRoleRevokePermissionResponse>;

export const UserAddOptions = message({
  no_password: bool(1),
});
export type UserAddOptions = Infer<typeof UserAddOptions>;

export const Permission = message({
  permType: enumeration(1, PermissionType),
  key: bytes(2),
  range_end: bytes(3),
});
export type Permission = Infer<typeof Permission>;
