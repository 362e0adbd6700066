import {
  MemberAddRequest,
  MemberAddResponse,
  MemberListRequest,
  MemberListResponse,
  MemberPromoteRequest,
  MemberPromoteResponse,
  MemberRemoveRequest,
  MemberRemoveResponse,
  MemberUpdateRequest,
  MemberUpdateResponse,
} from '../../api/etcd/messages.ts';
import { errors } from '../errors.ts';
import { type Service, unary } from '../grpc/service.ts';
import { Code, GrpcError } from '../grpc/status.ts';
import { header, type StoreContext } from './context.ts';

const single = () =>
  new GrpcError(
    Code.unimplemented,
    'etcdserver: this store has one member; use an etcd cluster in its place for more',
  );

/** etcd's Cluster service for a cluster that always has one member. */
export function clusterService(context: StoreContext): Service {
  const { member } = context;
  const checkKnown = (id: bigint) => {
    if (id !== member.memberId) throw errors.memberNotFound();
  };
  return {
    name: 'etcdserverpb.Cluster',
    methods: {
      MemberList: unary(MemberListRequest, MemberListResponse, () => ({
        header: header(context),
        members: [
          {
            ID: member.memberId,
            name: member.name,
            peerURLs: member.peerUrls,
            clientURLs: member.clientUrls,
          },
        ],
      })),
      MemberAdd: unary(MemberAddRequest, MemberAddResponse, () => {
        throw single();
      }),
      MemberRemove: unary(MemberRemoveRequest, MemberRemoveResponse, ({ ID }) => {
        checkKnown(ID);
        throw errors.notEnoughStarted();
      }),
      MemberUpdate: unary(MemberUpdateRequest, MemberUpdateResponse, ({ ID }) => {
        checkKnown(ID);
        throw single();
      }),
      MemberPromote: unary(MemberPromoteRequest, MemberPromoteResponse, ({ ID }) => {
        checkKnown(ID);
        throw errors.learnerNotReady();
      }),
    },
  };
}
