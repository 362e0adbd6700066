import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AlarmAction,
  AlarmRequest,
  AlarmResponse,
  AlarmType,
  DefragmentRequest,
  DefragmentResponse,
  DowngradeRequest,
  DowngradeResponse,
  HashKVRequest,
  HashKVResponse,
  HashRequest,
  HashResponse,
  MoveLeaderRequest,
  MoveLeaderResponse,
  SnapshotRequest,
  SnapshotResponse,
  StatusRequest,
  StatusResponse,
} from '../../api/etcd/messages.ts';
import { errors } from '../errors.ts';
import { type ResponseStream, type Service, serverStream, unary } from '../grpc/service.ts';
import { version } from '../http.ts';
import { exportSnapshot } from '../snapshot/export.ts';
import { hashKV } from '../snapshot/hash-kv.ts';
import { header, type StoreContext } from './context.ts';

/** Bytes of a snapshot in one response; etcd's. */
const snapshotChunk = 32 * 1024;
const alarmNames: Record<number, string> = { [AlarmType.nospace]: 'NOSPACE', [AlarmType.corrupt]: 'CORRUPT' };

/** etcd's Maintenance service. */
export function maintenanceService(context: StoreContext): Service {
  const { mvcc, member, disk, quota } = context;
  const alarmList = (types: Iterable<number>) =>
    [...types].map((alarm) => ({ memberID: member.memberId, alarm }));
  return {
    name: 'etcdserverpb.Maintenance',
    methods: {
      Status: unary(StatusRequest, StatusResponse, async () => {
        await quota.measure();
        return {
          header: header(context),
          version,
          dbSize: quota.fileBytes,
          dbSizeInUse: disk.bytesInUse,
          leader: member.memberId,
          raftIndex: mvcc.revision,
          raftAppliedIndex: mvcc.revision,
          raftTerm: member.term,
          errors: [...member.alarms].map(
            (type) => `memberID:${member.memberId} alarm:${alarmNames[type] ?? type} `,
          ),
        };
      }),

      Hash: unary(HashRequest, HashResponse, async () => {
        const { hash } = await hashKV(mvcc, 0);
        return { header: header(context), hash };
      }),

      HashKV: unary(HashKVRequest, HashKVResponse, async ({ revision }) => {
        const { hash, compactRevision } = await hashKV(mvcc, revision);
        return { header: header(context), hash, compact_revision: compactRevision };
      }),

      Defragment: unary(DefragmentRequest, DefragmentResponse, async () => {
        await mvcc.compacted();
        await disk.compactFiles();
        return { header: header(context) };
      }),

      Alarm: unary(AlarmRequest, AlarmResponse, async ({ action, memberID, alarm }) => {
        const mine = memberID === 0n || memberID === member.memberId;
        if (action === AlarmAction.get) {
          const wanted = [...member.alarms].filter((type) => alarm === AlarmType.none || type === alarm);
          return { header: header(context), alarms: alarmList(wanted) };
        }
        const on = action === AlarmAction.activate;
        const changed = mine && alarm !== AlarmType.none && member.alarms.has(alarm) !== on ? [alarm] : [];
        await context.setAlarms(changed, on);
        return { header: header(context), alarms: alarmList(changed) };
      }),

      Snapshot: serverStream(SnapshotRequest, SnapshotResponse, (_request, stream) => {
        sendSnapshot(context, stream).then(
          () => stream.end(),
          (error: unknown) => stream.end(error),
        );
      }),

      MoveLeader: unary(MoveLeaderRequest, MoveLeaderResponse, () => {
        throw errors.badTransferee();
      }),

      Downgrade: unary(DowngradeRequest, DowngradeResponse, () => {
        throw errors.noDowngrade();
      }),
    },
  };
}

let snapshots = 0;

/** Writes the snapshot to a file first, as etcd does: then its size is known and a slow client holds nothing up. */
async function sendSnapshot(context: StoreContext, stream: ResponseStream<SnapshotResponse>): Promise<void> {
  const { mvcc, disk, faults } = context;
  const path = join(context.dataDir, `snapshot-${process.pid}-${snapshots++}.tmp`);
  let cancelled = false;
  stream.onCancel(() => {
    cancelled = true;
  });
  try {
    // The view and the revision are of one moment; changes beyond the durable revision are left out.
    const revision = await mvcc.scannable();
    const { compactRevision } = mvcc;
    const scan = disk.scanAll();
    let remaining = await exportSnapshot({ scan, revision, compactRevision, path, faults });
    const hash = createHash('sha256');
    const send = async (blob: Buffer) => {
      const goOn = stream.write({ header: header(context, revision), remaining_bytes: remaining, blob });
      if (!goOn && !cancelled)
        await new Promise<void>((resolve) => {
          stream.onDrain(resolve);
          stream.onCancel(resolve);
        });
    };
    for await (const chunk of createReadStream(path, { highWaterMark: snapshotChunk })) {
      if (cancelled) return;
      hash.update(chunk as Buffer);
      remaining -= (chunk as Buffer).length;
      await send(chunk as Buffer);
    }
    await send(hash.digest());
  } finally {
    await rm(path, { force: true });
  }
}
