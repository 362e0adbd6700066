import { join } from 'node:path';
import type { Test } from 'tap';
import { EtcdClient } from '../../store/testing/etcd.ts';
import { freePort, removeDirectory, StoreProcess, temporaryDirectory } from '../../store/testing/process.ts';

/** A process and a client of it. */
export interface Running {
  process: StoreProcess;
  client: EtcdClient;
}

/** Starts our store and a real etcd, side by side, for as long as the test runs. */
export async function startBoth(t: Pick<Test, 'teardown'>): Promise<{ store: Running; etcd: Running }> {
  const directory = temporaryDirectory();
  const start = async (kind: 'store' | 'etcd'): Promise<Running> => {
    const process = await StoreProcess.start({
      kind,
      dataDir: join(directory, kind),
      port: await freePort(),
    });
    return { process, client: new EtcdClient(await process.connect()) };
  };
  const [store, etcd] = await Promise.all([start('store'), start('etcd')]);
  t.teardown(async () => {
    for (const { client } of [store, etcd]) client.client.close();
    await Promise.all([store.process.stop(), etcd.process.stop()]);
    removeDirectory(directory);
  });
  return { store, etcd };
}
