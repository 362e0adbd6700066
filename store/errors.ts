import { Code, GrpcError } from './grpc/status.ts';

/** etcd's errors with its own codes and texts: etcd `api/v3rpc/rpctypes/error.go`. */
const error = (code: Code, message: string) => () => new GrpcError(code, `etcdserver: ${message}`);

export const errors = {
  emptyKey: error(Code.invalidArgument, 'key is not provided'),
  keyNotFound: error(Code.invalidArgument, 'key not found'),
  valueProvided: error(Code.invalidArgument, 'value is provided'),
  leaseProvided: error(Code.invalidArgument, 'lease is provided'),
  tooManyOps: error(Code.invalidArgument, 'too many operations in txn request'),
  duplicateKey: error(Code.invalidArgument, 'duplicate key given in txn request'),
  requestTooLarge: error(Code.invalidArgument, 'request is too large'),
  compacted: error(Code.outOfRange, 'mvcc: required revision has been compacted'),
  futureRevision: error(Code.outOfRange, 'mvcc: required revision is a future revision'),
  noSpace: error(Code.resourceExhausted, 'mvcc: database space exceeded'),
  leaseNotFound: error(Code.notFound, 'requested lease not found'),
  leaseExists: error(Code.failedPrecondition, 'lease already exists'),
  leaseTTLTooLarge: error(Code.outOfRange, 'too large lease TTL'),
  memberNotFound: error(Code.notFound, 'member not found'),
  memberBadUrls: error(Code.invalidArgument, 'given member URLs are invalid'),
  notEnoughStarted: error(
    Code.failedPrecondition,
    're-configuration failed due to not enough started members',
  ),
  learnerNotReady: error(Code.failedPrecondition, 'can only promote a learner member'),
  authNotEnabled: error(Code.failedPrecondition, 'authentication is not enabled'),
  writeFailed: error(Code.unavailable, 'write failed, its outcome is unknown'),
  stopped: error(Code.unavailable, 'server stopped'),
  badTransferee: error(Code.failedPrecondition, 'bad leader transferee'),
  noDowngrade: error(Code.unimplemented, 'there is no older version to downgrade to'),
} as const;
