import { join } from 'node:path';
import { Etcd3 } from 'etcd3';
import t from 'tap';
import { freePort, removeDirectory, StoreProcess, temporaryDirectory } from '../../store/testing/process.ts';

/** The npm client etcd3, which speaks through grpc-js, against our store. */

const directory = temporaryDirectory();
const store = await StoreProcess.start({
  kind: 'store',
  dataDir: join(directory, 'data'),
  port: await freePort(),
});
const client = new Etcd3({ hosts: store.url });
t.teardown(async () => {
  client.close();
  await store.stop();
  removeDirectory(directory);
});

t.test('put, get, getAll with sort and limit, delete', async (t) => {
  await client.put('a/1').value('one');
  await client.put('a/2').value('two');
  await client.put('a/3').value('three');
  t.equal(await client.get('a/2').string(), 'two');
  t.equal(await client.get('missing').string(), null);
  t.same(await client.getAll().prefix('a/').strings(), { 'a/1': 'one', 'a/2': 'two', 'a/3': 'three' });
  t.same(await client.getAll().prefix('a/').sort('Key', 'Descend').limit(2).keys(), ['a/3', 'a/2']);
  t.equal(await client.getAll().prefix('a/').count(), 3);
  const { deleted } = await client.delete().prefix('a/');
  t.equal(deleted, '3');
});

t.test('a transaction applies one branch', async (t) => {
  await client.put('t').value('1');
  const taken = await client.if('t', 'Value', '==', '1').then(client.put('t').value('2')).commit();
  t.equal(taken.succeeded, true);
  const refused = await client
    .if('t', 'Value', '==', '1')
    .then(client.put('t').value('3'))
    .else(client.get('t'))
    .commit();
  t.equal(refused.succeeded, false);
  t.equal(await client.get('t').string(), '2');
});

t.test('a watcher sees puts and deletes', async (t) => {
  const watcher = await client.watch().prefix('w/').create();
  const seen: string[] = [];
  const done = new Promise<void>((resolve) => {
    watcher.on('put', ({ key, value }) => seen.push(`put ${key} ${value}`));
    watcher.on('delete', ({ key }) => {
      seen.push(`delete ${key}`);
      resolve();
    });
  });
  await client.put('w/1').value('x');
  await client.delete().key('w/1');
  await done;
  t.same(seen, ['put w/1 x', 'delete w/1']);
  await watcher.cancel();
});

t.test('a lease keeps its key until it is revoked', async (t) => {
  const lease = client.lease(30);
  await lease.put('leased').value('x');
  t.equal(await client.get('leased').string(), 'x');
  await lease.keepaliveOnce();
  await lease.revoke();
  t.equal(await client.get('leased').string(), null);
});

t.test('a lock excludes others', async (t) => {
  const order: string[] = [];
  const lock = client.lock('mutex');
  await lock.acquire();
  await t.rejects(client.lock('mutex').acquire(), 'taken');
  order.push('released');
  await lock.release();
  await client.lock('mutex').do(async () => {
    order.push('taken again');
  });
  t.same(order, ['released', 'taken again']);
});

t.test('an election has one leader', async (t) => {
  const election = client.election('chief');
  const campaign = election.campaign('me');
  await new Promise<void>((resolve, reject) => {
    campaign.on('elected', resolve);
    campaign.on('error', reject);
  });
  t.equal(await election.leader(), 'me');
  await campaign.resign();
});
