import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runProgram } from '../test/lib/program.ts';
import { waitUntil } from '../test/lib/wait-until.ts';
import { BoltWriter } from './bolt/writer.ts';
import { snapshotStatus } from './snapshot/file.ts';
import { restoreSnapshot } from './snapshot/restore.ts';
import { EtcdClient } from './testing/etcd.ts';
import {
  compileCache,
  freePort,
  removeDirectory,
  StoreProcess,
  temporaryDirectory,
} from './testing/process.ts';

const directory = temporaryDirectory();
const path = (name: string) => join(directory, name);
const backup = path('backup.db');
t.teardown(() => removeDirectory(directory));

const snapshot = (args: string[]) =>
  runProgram(process.execPath, [join(import.meta.dirname, 'snapshot-cli.ts'), ...args], {
    environment: { NODE_COMPILE_CACHE: compileCache },
  });

const start = async (dataDir: string) =>
  StoreProcess.start({ kind: 'store', dataDir, port: await freePort() });

/** Revision and value of a key. */
async function read(store: StoreProcess, name: string) {
  const connection = await store.connect();
  const { header, kvs } = await new EtcdClient(connection).range({ key: Buffer.from(name) });
  connection.close();
  return { revision: header?.revision, modRevision: kvs[0]?.mod_revision, value: kvs[0]?.value.toString() };
}

async function put(store: StoreProcess, key: string, value: string) {
  const connection = await store.connect();
  const { header } = await new EtcdClient(connection).put({
    key: Buffer.from(key),
    value: Buffer.from(value),
  });
  connection.close();
  return header?.revision;
}

t.before(async () => {
  const store = await start(path('data'));
  await put(store, 'a', 'superseded');
  await put(store, 'a', 'saved');
  const saved = await snapshot(['save', backup, '--endpoints', store.url]);
  t.equal(saved.stdout, `Snapshot saved at ${backup}\n`, saved.stderr);
  await put(store, 'a', 'later');
  await store.stop();
});

t.test('a restore puts the data of before aside and gives out no revision twice', async (t) => {
  const bump = ['--bump-revision', '1000', '--mark-compacted'];
  const refused = await snapshot(['restore', backup, '--data-dir', path('data'), ...bump]);
  t.equal(refused.code, 1);
  t.match(refused.stderr, `the data directory ${path('data')} is not empty: --replace puts its data aside`);

  const done = await snapshot(['restore', backup, '--data-dir', path('data'), '--replace', ...bump]);
  t.equal(done.code, 0, done.stderr);
  t.match(done.stdout, 'at revision 1003');
  const before = /The data of before are in (\S+):/.exec(done.stdout)?.[1] ?? '';
  t.match(before, /data\.before-\d{8}T\d{6}Z$/);

  const store = await start(path('data'));
  t.same(await read(store, 'a'), { revision: 1003, modRevision: 3, value: 'saved' });
  t.equal(await put(store, 'b', '1'), 1004);
  const connection = await store.connect();
  const answers: { canceled: boolean; compact_revision: number }[] = [];
  new EtcdClient(connection)
    .watch({ onMessage: (answer) => answers.push(answer), onEnd: () => undefined })
    .write({ create_request: { key: Buffer.from('a'), start_revision: 4 } });
  await waitUntil('the watch from before is ended', () => answers.some(({ canceled }) => canceled));
  t.equal(answers.at(-1)?.compact_revision, 1003);
  connection.close();
  await store.stop();

  const old = await start(before);
  t.match(await read(old, 'a'), { revision: 4, value: 'later' }, 'what was replaced is whole');
  await old.stop();
});

t.test('a restored revision outlasts another backup, in our store and in an etcd', async (t) => {
  const first = path('first');
  await snapshot(['restore', backup, '--data-dir', first, '--bump-revision=5000', '--mark-compacted']);
  const store = await start(first);
  const second = path('second.db');
  await snapshot(['save', second, '--endpoints', store.url]);
  await store.stop();
  await snapshot(['restore', second, '--data-dir', path('second')]);
  const ours = await start(path('second'));
  t.match(await read(ours, 'a'), { revision: 5003, value: 'saved' });
  await ours.stop();
  const restored = await runProgram('etcdctl', ['snapshot', 'restore', second, '--data-dir', path('etcd')], {
    environment: { ETCDCTL_API: '3' },
  });
  t.equal(restored.code, 0, restored.stderr);
  const etcd = await StoreProcess.start({ kind: 'etcd', dataDir: path('etcd'), port: await freePort() });
  t.match(await read(etcd, 'a'), { revision: 5003, value: 'saved' });
  await etcd.stop();
});

t.test('a running store keeps its data', async (t) => {
  const dataDir = path('running');
  const store = await start(dataDir);
  const refused = await snapshot(['restore', backup, '--data-dir', dataDir, '--replace']);
  t.equal(refused.code, 1);
  t.match(refused.stderr, `${dataDir} is in use by another process`);
  t.equal(await put(store, 'a', 'goes on'), 2);
  await store.stop();
});

t.test('what a restore that was killed has left behind is not taken for data', async (t) => {
  const dataDir = path('again');
  mkdirSync(`${dataDir}.restoring/member`, { recursive: true });
  writeFileSync(`${dataDir}.restoring/member/000001.log`, 'half');
  const done = await snapshot(['restore', backup, '--data-dir', dataDir]);
  t.equal(done.code, 0, done.stderr);
  t.notOk(existsSync(`${dataDir}.restoring`));
  const store = await start(dataDir);
  t.match(await read(store, 'a'), { value: 'saved' });
  await store.stop();
});

/** Puts the hash of a snapshot behind any content. */
const hashed = (content: Buffer) => Buffer.concat([content, createHash('sha256').update(content).digest()]);

t.test('what is not a whole snapshot is refused, and nothing is made of it', async (t) => {
  const good = readFileSync(backup);
  const flipped = Buffer.from(good);
  flipped[5000]! ^= 1;
  const writer = new BoltWriter(path('other.bolt'));
  writer.put(Buffer.from('a'), Buffer.from('b'));
  writer.endBucket('other');
  writer.finish();
  const cases: [string, Buffer, RegExp][] = [
    ['empty', Buffer.alloc(0), /no hash at its end; the file is cut off or not a snapshot/],
    ['text', Buffer.from('hello'), /no hash at its end/],
    ['cut', good.subarray(0, -700), /no hash at its end/],
    ['cut in blocks', good.subarray(0, -4096), /does not match its hash; the file is damaged/],
    ['flipped', flipped, /does not match its hash; the file is damaged/],
    ['zeros', hashed(Buffer.alloc(8192)), /no valid meta page; the file is not a snapshot/],
    ['other', hashed(readFileSync(path('other.bolt'))), /holds no keys of a store or an etcd/],
  ];
  const dataDir = path('none');
  for (const [name, content, message] of cases) {
    writeFileSync(path(name), content);
    const refusal = { name: 'SnapshotError', message };
    t.throws(() => snapshotStatus(path(name)), refusal, `status of ${name}`);
    await t.rejects(
      restoreSnapshot({ path: path(name), dataDir, skipHashCheck: false, replaceAt: new Date() }),
      refusal,
      `restore of ${name}`,
    );
  }
  for (const name of ['flipped', 'missing']) {
    const result = await snapshot(['restore', path(name), '--data-dir', dataDir, '--replace']);
    t.equal(result.code, 1, name);
    t.match(
      result.stderr,
      /^\S+: (its content does not match|no such file or directory).*\n$/,
      'and nothing else',
    );
  }
  t.same(
    readdirSync(directory).filter((entry) => entry.startsWith('none')),
    [],
  );
});

t.test('wrong command lines are refused by name', async (t) => {
  const cases: [string[], string][] = [
    [['restore', backup], 'required flag not set: --data-dir'],
    [['restore'], 'restore: a file is needed'],
    [['resotre', backup], 'unknown command resotre'],
    [['status', backup, '--endpoints=x'], 'unknown flag: --endpoints'],
    [['restore', backup, '--data-dir', path('x'), '--bump-revision=-1', '--mark-compacted'], 'whole number'],
    [['restore', backup, '--data-dir', path('x'), '--bump-revision=1'], 'must be given together'],
    [['save', path('x.db'), '--endpoints', 'localhost'], '--endpoints "localhost": must be one URL'],
    [['save', path('x.db'), '--endpoints', 'http://127.0.0.1:1'], 'cannot connect to http://127.0.0.1:1: '],
    [
      ['save', path('x.db'), '--endpoints', 'https://127.0.0.1:1', '--cacert', path('ca')],
      `${path('ca')}: no`,
    ],
    [['save', path('no/x.db'), '--endpoints', 'http://127.0.0.1:1'], 'cannot connect'],
  ];
  for (const [args, message] of cases) {
    const result = await snapshot(args);
    t.equal(result.code, 1, args.join(' '));
    t.match(result.stderr, message);
  }
  t.notOk(existsSync(path('x.db')));
  t.notOk(existsSync(path('x.db.part')));
});
