import t from 'tap';
import type { WatchResponse } from '../../api/etcd/messages.ts';
import { EtcdClient } from '../../store/testing/etcd.ts';
import { freePort, removeDirectory, StoreProcess, temporaryDirectory } from '../../store/testing/process.ts';
import { waitUntil } from '../lib/wait-until.ts';

/** Progress notifications that come by themselves, with the same flag and the same test on our store and on etcd. */

const bytes = (text: string) => Buffer.from(text);
const prefix = (text: string) => ({ key: bytes(text), range_end: bytes(`${text}~`) });

for (const kind of ['store', 'etcd'] as const)
  t.test(`${kind}: a watch that asked for it is told how far it is`, { timeout: 60_000 }, async (t) => {
    const directory = temporaryDirectory();
    const server = await StoreProcess.start({
      kind,
      dataDir: directory,
      port: await freePort(),
      flags: ['--experimental-watch-progress-notify-interval=100ms'],
    });
    const client = await server.connect();
    t.teardown(async () => {
      client.close();
      await server.stop();
      removeDirectory(directory);
    });
    const etcd = new EtcdClient(client);
    const responses: WatchResponse[] = [];
    const stream = etcd.watch({ onMessage: (response) => responses.push(response), onEnd: () => undefined });
    const [idle, silent, busy] = [1, 2, 3];
    stream.write({ create_request: { ...prefix('idle'), watch_id: idle, progress_notify: true } });
    stream.write({ create_request: { ...prefix('idle'), watch_id: silent } });
    stream.write({ create_request: { ...prefix('busy'), watch_id: busy, progress_notify: true } });
    // The first notification may come before the last watch is seen.
    await waitUntil('the watches', () => responses.filter(({ created }) => created).length === 3);

    const notified = (id: number, revision: number) =>
      responses.filter(
        ({ watch_id, created, header }) => watch_id === id && !created && header!.revision === revision,
      ).length;
    const { revision } = responses[0]!.header!;
    await waitUntil('three notifications', () => notified(idle, revision) >= 3);
    const between = await etcd.put({ key: bytes('other') });
    await waitUntil('the new revision', () => notified(idle, between.header!.revision) >= 2);

    let last = 0;
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 20; i++)
        last = (await etcd.put({ key: bytes(`busy${i}`), value: Buffer.alloc(1000) })).header!.revision;
      const progressed = () =>
        responses.some(
          ({ watch_id, events, header }) =>
            watch_id === busy && events.length === 0 && header!.revision >= last,
        );
      await waitUntil('progress of the busy watch', progressed);
    }

    t.ok(responses.every(({ canceled }) => !canceled));
    t.equal(responses.filter(({ watch_id }) => watch_id === silent).length, 1, 'nothing without asking');
    t.same(
      responses.filter(({ watch_id, events }) => watch_id !== busy && events.length > 0),
      [],
    );
    let seen = between.header!.revision;
    for (const { watch_id, created, events, header } of responses) {
      if (watch_id !== busy || created) continue;
      // The only writer wrote to this watch, so that it has everything up to a revision if it has that one.
      if (events.length === 0)
        t.ok(header!.revision <= seen, `progress ${header!.revision} after event ${seen}`);
      for (const { kv } of events) {
        if (kv!.mod_revision !== seen + 1) t.fail(`event ${kv!.mod_revision} after ${seen}`);
        seen = kv!.mod_revision;
      }
    }
    t.equal(seen, last);
  });
