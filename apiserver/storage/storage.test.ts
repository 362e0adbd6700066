import { pino } from 'pino';
import { test } from 'tap';
import type { ConfigMap } from '../../api/types/core-v1.ts';
import { freePort, removeDirectory, StoreProcess, temporaryDirectory } from '../../store/testing/process.ts';
import { waitUntil } from '../../test/lib/wait-until.ts';
import { Compactor } from './compactor.ts';
import { EtcdClient } from './etcd-client.ts';
import { EtcdError } from './etcd-error.ts';
import type { ResourceCache } from './resource-cache.ts';
import { Storage } from './storage.ts';
import type { ChangeEvent } from './watch-event.ts';

const log = pino({ level: 'silent' });
const dataDir = temporaryDirectory();
const storeOptions = { kind: 'etcd' as const, dataDir, port: await freePort() };
let store = await StoreProcess.start(storeOptions);

interface Opened {
  storage: Storage;
  cache: ResourceCache;
  client: EtcdClient;
  close(): void;
}

/** A storage of its own on the shared store, with one resource. */
function open(endpoints: readonly string[] = [store.url]): Opened {
  const client = new EtcdClient({ endpoints });
  const storage = new Storage({ client, prefix: '/registry', log });
  const cache = storage.addResource('configmaps', () => ({}));
  storage.start();
  return {
    storage,
    cache,
    client,
    close() {
      storage.stop();
      client.close();
    },
  };
}

const configMap = (name: string, data: Record<string, string> = {}): ConfigMap => ({
  kind: 'ConfigMap',
  apiVersion: 'v1',
  metadata: { name, namespace: 'ns' },
  data,
});

/** Records events as `TYPE name value`. */
function record(cache: ResourceCache, revision: number): string[] {
  const lines: string[] = [];
  cache.subscribe(
    {
      event({ type, entry }: ChangeEvent) {
        const object = entry.parse<ConfigMap>();
        lines.push(`${type} ${object.metadata?.name} ${object.data?.n ?? ''}`);
      },
      expired: () => lines.push('expired'),
    },
    revision,
  );
  return lines;
}

test('what was created is read by a consistent read of another server', async (t) => {
  const a = open();
  const b = open();
  const written = await a.storage.create('configmaps', 'ns/read', configMap('read', { n: '1' }));
  await b.storage.consistent();
  t.equal(b.cache.get('ns/read')?.bytes.toString(), written?.bytes.toString());
  t.match(written?.bytes.toString(), `"resourceVersion":"${written?.revision}"`);
  a.close();
  b.close();
});

test('of two creations of one key one wins', async (t) => {
  const a = open();
  const b = open();
  const results = await Promise.all(
    [a, b].map(({ storage }, i) =>
      storage.create('configmaps', 'ns/race', configMap('race', { n: String(i) })),
    ),
  );
  t.equal(results.filter(Boolean).length, 1);
  a.close();
  b.close();
});

test('concurrent updates by two servers all take effect', async (t) => {
  const servers = [open(), open()];
  await servers[0]!.storage.create('configmaps', 'ns/count', configMap('count', { n: '0' }));
  const increment = (storage: Storage) =>
    storage.update('configmaps', 'ns/count', (current) => {
      const object = current!.parse<ConfigMap>();
      object.data = { n: String(Number(object.data?.n) + 1) };
      return { put: object };
    });
  await waitUntil('both see it', () => servers.every(({ cache }) => cache.get('ns/count')));
  await Promise.all(Array.from({ length: 30 }, (_, i) => increment(servers[i % 2]!.storage)));
  const final = await servers[0]!.storage.read('configmaps', 'ns/count');
  t.equal(final?.parse<ConfigMap>().data?.n, '30');
  for (const server of servers) server.close();
});

test('an error thrown on a stale state is not believed', async (t) => {
  const { storage, cache, client, close } = open();
  await storage.create('configmaps', 'ns/stale', configMap('stale', { n: '1' }));
  await storage.consistent();
  // Behind the cache's back, and decided upon before the cache hears of it.
  const other = open();
  await other.storage.consistent();
  const seen: (string | undefined)[] = [];
  storage.stop();
  await other.storage.update('configmaps', 'ns/stale', () => ({ put: configMap('stale', { n: '2' }) }));
  t.equal(cache.get('ns/stale')?.parse<ConfigMap>().data?.n, '1', 'the cache is stale');
  await storage.update('configmaps', 'ns/stale', (current) => {
    const n = current?.parse<ConfigMap>().data?.n;
    seen.push(n);
    if (n === '1') throw new Error('no');
    return 'delete';
  });
  t.strictSame(seen, ['1', '2']);
  t.equal(await storage.read('configmaps', 'ns/stale'), undefined);
  other.close();
  client.close();
  close();
});

test('a list at an old revision shows what was then', async (t) => {
  const { storage, close } = open();
  const first = await storage.create('configmaps', 'past/a', configMap('a'));
  await storage.create('configmaps', 'past/b', configMap('b'));
  const keys = (await storage.listAt('configmaps', 'past/', first!.revision)).map((entry) => entry.key);
  t.strictSame(keys, ['past/a']);
  close();
});

test('no event is lost or repeated over a crash of the store', async (t) => {
  const { storage, cache, close } = open();
  await storage.consistent();
  const lines = record(cache, storage.revision);
  const expected: string[] = [];
  for (let i = 0; i < 20; i++) {
    await storage.create('configmaps', `crash/${i}`, configMap(String(i), { n: String(i) }));
    expected.push(`ADDED ${i} ${i}`);
    if (i !== 9) continue;
    await store.stop('SIGKILL');
    store = await StoreProcess.start(storeOptions);
  }
  await waitUntil('all events', () => lines.length >= 20);
  t.strictSame(lines, expected);
  close();
});

test('a write waits for a store that comes back', async (t) => {
  const { storage, close } = open();
  await storage.consistent();
  await store.stop('SIGKILL');
  const writing = storage.create('configmaps', 'ns/patient', configMap('patient'));
  store = await StoreProcess.start(storeOptions);
  t.ok(await writing);
  close();
});

test('history that was compacted away leads to a new list', async (t) => {
  const { storage, cache, client, close } = open();
  await storage.create('configmaps', 'gone/a', configMap('a', { n: '1' }));
  await storage.consistent();
  const lines = record(cache, storage.revision);
  await store.stop('SIGKILL');
  store = await StoreProcess.start(storeOptions);
  // While the watch is broken: changes, and their history taken away.
  const other = open();
  const last = await other.storage.create('configmaps', 'gone/b', configMap('b', { n: '2' }));
  await other.client.compact({ revision: last!.revision });
  await storage.consistent();
  t.ok(cache.get('gone/b'));
  t.ok(lines.at(-1) === 'expired' || lines.at(-1) === 'ADDED b 2', lines.join());
  await t.rejects(client.range({ key: Buffer.from('x'), revision: 1 }), EtcdError);
  other.close();
  close();
});

test('the next endpoint takes over from one that is not there', async (t) => {
  const { storage, cache, close } = open([`http://127.0.0.1:${await freePort()}`, store.url]);
  await storage.create('configmaps', 'ns/failover', configMap('failover'));
  await storage.consistent();
  t.ok(cache.get('ns/failover'));
  close();
});

test('keys of others in the same store do not hold reads up', async (t) => {
  const { storage, client, close } = open();
  const foreign = { request_put: { key: Buffer.from('foreign'), value: Buffer.from('x') } };
  const { header } = await client.txn({ success: [foreign] });
  await storage.consistent();
  t.ok(storage.revision >= header!.revision);
  close();
});

test('of several servers one compacts, and only what is older than a round', async (t) => {
  const { storage, client, close } = open();
  const compactors = [new Compactor(client), new Compactor(client)];
  const round = () => Promise.all(compactors.map((compactor) => compactor.compact()));
  const old = await storage.create('configmaps', 'compact/a', configMap('a'));
  await round();
  const recent = await storage.create('configmaps', 'compact/b', configMap('b'));
  await round();
  await round();
  await t.rejects(storage.listAt('configmaps', 'compact/', old!.revision - 1), EtcdError);
  t.ok(await storage.listAt('configmaps', 'compact/', recent!.revision + 2));
  close();
});

// Last, so that it also cleans up.
test('a store that is gone for good is an error, not a hang', async (t) => {
  const { storage, close } = open();
  await storage.consistent();
  await store.stop('SIGKILL');
  await t.rejects(storage.consistent(), EtcdError);
  await t.rejects(storage.create('configmaps', 'ns/never', configMap('never')), EtcdError);
  close();
  removeDirectory(dataDir);
});
