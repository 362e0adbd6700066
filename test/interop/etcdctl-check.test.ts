import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { EtcdClient } from '../../store/testing/etcd.ts';
import { freePort, removeDirectory, StoreProcess, temporaryDirectory } from '../../store/testing/process.ts';

const execute = promisify(execFile);

t.test('etcdctl check datascale fills our store, finds its memory and leaves nothing behind', async (t) => {
  const directory = temporaryDirectory();
  const store = await StoreProcess.start({ kind: 'store', dataDir: directory, port: await freePort() });
  const client = await store.connect();
  t.teardown(async () => {
    client.close();
    await store.stop();
    removeDirectory(directory);
  });
  const { stdout } = await execute('etcdctl', ['--endpoints', store.url, 'check', 'datascale', '--load=s'], {
    env: { ...process.env, ETCDCTL_API: '3' },
  });
  t.match(stdout, /^PASS: Approximate system memory used : \d+/m);
  const everything = { key: Buffer.from('\0'), range_end: Buffer.from('\0') };
  const { count, header } = await new EtcdClient(client).range(everything);
  t.equal(count, 0);
  t.ok(header!.revision > 10_000, `${header!.revision} revisions`);
});
