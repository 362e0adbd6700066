import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { lockData } from './data-lock.ts';
import { Faults } from './fault.ts';
import type { StoreFlags } from './flags.ts';
import { Lessor } from './lease/lessor.ts';
import type { Logger } from './log.ts';
import type { StoreMetrics } from './metrics/store-metrics.ts';
import { Disk } from './mvcc/disk.ts';
import { Mvcc } from './mvcc/mvcc.ts';
import { WatchHub } from './watch/hub.ts';

const cacheBytes = 32 * 1024 * 1024;

/** The opened data and the parts that live on it. */
export interface Data {
  disk: Disk;
  mvcc: Mvcc;
  lessor: Lessor;
  hub: WatchHub;
  faults: Faults;
  /** Set once there are metrics to count into. */
  metrics: StoreMetrics | undefined;
  close(): Promise<void>;
}

/**
 * Opens the data directory, making it if there is none.
 * @throws {DataLockedError | DiskError | DamageError} saying what is wrong with it.
 */
export async function openData(flags: StoreFlags, log: Logger): Promise<Data> {
  const directory = flags['data-dir'];
  const onError = (error: unknown) => log.error({ err: error }, 'background work failed');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = await lockData(directory);
  removeLeftovers(directory);
  const faults = new Faults(process.env.STORE_FAULT);
  let mvcc: Mvcc | undefined;
  const disk = await Disk.open({
    directory,
    faults,
    onFailure: (error) => mvcc?.fail(error),
    acceptLoss: flags['accept-data-loss'],
    onLoss: (message) => log.warn(message),
  });
  const hub = new WatchHub(onError);
  const lessor = new Lessor({ now: () => performance.now(), onError });
  const data: Pick<Data, 'metrics'> = { metrics: undefined };
  mvcc = await Mvcc.open({
    disk,
    faults,
    leases: lessor,
    cacheBytes,
    onCommit: (changes) => {
      for (const { deleted } of changes)
        if (deleted) data.metrics?.deletes.add();
        else data.metrics?.puts.add();
      hub.notify(changes);
    },
    onDurable: (seconds) => data.metrics?.commitSeconds.observe(seconds),
    onFailure: (error) =>
      log.fatal({ err: error }, 'a write failed: writes are refused until the store is started again'),
  });
  hub.start(mvcc);
  return Object.assign(data, {
    disk,
    mvcc,
    lessor,
    hub,
    faults,
    close: async () => {
      await mvcc.close();
      lock?.close();
    },
  });
}

/** A store that died while it sent a snapshot has left its file. */
function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory))
    if (/^snapshot-.*\.tmp$/.test(name)) rmSync(join(directory, name), { force: true });
}
