import { StatusRequest, StatusResponse } from '../../api/etcd/messages.ts';
import { type Service, unary } from '../grpc/service.ts';
import { version } from '../http.ts';
import type { Disk } from '../mvcc/disk.ts';
import { header, type StoreContext } from './context.ts';

/** etcd's Maintenance service. */
export function maintenanceService(context: StoreContext, _disk: Disk): Service {
  return {
    name: 'etcdserverpb.Maintenance',
    methods: {
      Status: unary(StatusRequest, StatusResponse, () => ({
        header: header(context),
        version,
        leader: context.member.memberId,
        raftIndex: context.mvcc.revision,
        raftAppliedIndex: context.mvcc.revision,
        raftTerm: context.member.term,
      })),
    },
  };
}
