import t from 'tap';
import type { WatchResponse } from '../../api/etcd/messages.ts';
import { EtcdClient } from '../testing/etcd.ts';
import { freePort, removeDirectory, StoreProcess, temporaryDirectory } from '../testing/process.ts';

const directory = temporaryDirectory();
const store = await StoreProcess.start({ kind: 'store', dataDir: directory, port: await freePort() });
t.teardown(async () => {
  await store.stop();
  removeDirectory(directory);
});
const bytes = (text: string) => Buffer.from(text);

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('took too long');
    await new Promise(setImmediate);
  }
}

t.test('200 watches on a stream: no gap, no repeat, and progress only after every event', async (t) => {
  const client = await store.connect();
  const etcd = new EtcdClient(client);
  const seen = new Map<number, number[]>();
  let created = 0;
  let progress = 0;
  let early = 0;
  const stream = etcd.watch({
    onMessage: (response) => {
      if (response.created) created++;
      else if (response.events.length === 0) {
        progress = response.header!.revision;
        for (const revisions of seen.values()) if (revisions.at(-1)! < progress) early++;
      } else {
        const revisions = seen.get(response.watch_id) ?? [];
        seen.set(response.watch_id, revisions);
        for (const { kv } of response.events) revisions.push(kv!.mod_revision);
      }
    },
    onEnd: () => undefined,
  });
  for (let i = 0; i < 200; i++)
    stream.write({ create_request: { key: bytes('many'), range_end: bytes('manz') } });
  await until(() => created === 200);
  for (let i = 0; i < 200; i++) {
    const { header } = await etcd.put({ key: bytes(`many${i % 7}`), value: bytes('1') });
    if (i % 10 !== 9) continue;
    stream.write({ progress_request: {} });
    await until(() => progress >= header!.revision);
  }
  t.equal(seen.size, 200);
  t.equal(early, 0);
  const broken = [...seen.values()].filter(
    (revisions) => revisions.length !== 200 || revisions.some((r, i) => i > 0 && r !== revisions[i - 1]! + 1),
  );
  t.equal(broken.length, 0);
  client.close();
});

t.test('a client that stops reading loses nothing and holds nobody up', async (t) => {
  const slow = await store.connect();
  const fast = await store.connect();
  const revisions: number[] = [];
  let ready = false;
  const stream = new EtcdClient(slow).watch({
    onMessage: ({ created, events }) => {
      ready ||= created;
      for (const { kv } of events) revisions.push(kv!.mod_revision);
    },
    onEnd: () => undefined,
  });
  stream.write({ create_request: { key: bytes('slow'), range_end: bytes('slox') } });
  await until(() => ready);
  slow.pause();
  const etcd = new EtcdClient(fast);
  const value = Buffer.alloc(100_000, 120);
  for (let i = 0; i < 150; i++) await etcd.put({ key: bytes(`slow${i % 5}`), value });
  slow.resume();
  await until(() => revisions.length >= 150);
  t.equal(revisions.length, 150);
  t.ok(revisions.every((revision, i) => i === 0 || revision === revisions[i - 1]! + 1));
  slow.close();
  fast.close();
});

t.test('a watch at the compacted revision gets it; one below is told where history begins', async (t) => {
  const client = await store.connect();
  const etcd = new EtcdClient(client);
  await etcd.put({ key: bytes('c'), value: bytes('1') });
  await etcd.put({ key: bytes('c'), value: bytes('2') });
  const { header } = await etcd.deleteRange({ key: bytes('c') });
  const compacted = header!.revision;
  await etcd.compact({ revision: compacted, physical: true });
  const first = (start_revision: number) =>
    new Promise<WatchResponse>((resolve) => {
      const stream = etcd.watch({
        onMessage: (response) => !response.created && resolve(response),
        onEnd: () => undefined,
      });
      stream.write({ create_request: { key: bytes('c'), start_revision } });
    });
  const at = await first(compacted);
  t.same(
    at.events.map(({ type, kv }) => [type, kv!.mod_revision]),
    [[1, compacted]],
    'the deletion at the compacted revision itself',
  );
  const below = await first(compacted - 1);
  t.equal(below.canceled, true);
  t.equal(below.compact_revision, compacted);
  client.close();
});

t.test('fragments: a large revision comes in marked pieces only when asked for', async (t) => {
  const client = await store.connect();
  const etcd = new EtcdClient(client);
  const responses: WatchResponse[] = [];
  let created = false;
  const stream = etcd.watch({
    onMessage: (response) => {
      if (response.created) created = true;
      else responses.push(response);
    },
    onEnd: () => undefined,
  });
  stream.write({ create_request: { key: bytes('f'), range_end: bytes('g'), fragment: true, prev_kv: true } });
  await until(() => created);
  const put = (i: number) => ({ request_put: { key: bytes(`f${i}`), value: Buffer.alloc(400_000, 120) } });
  await etcd.txn({ success: [put(1), put(2), put(3)] });
  await etcd.txn({ success: [put(1), put(2), put(3)] });
  const count = () => responses.reduce((sum, { events }) => sum + events.length, 0);
  await until(() => count() === 6);
  const second = responses.filter(({ events }) => events[0]!.kv!.version === 2);
  t.ok(second.length > 1, 'previous values make the second revision too large for one response');
  t.same(
    second.map(({ fragment }) => fragment),
    [...second.slice(1).map(() => true), false],
  );
  client.close();
});
