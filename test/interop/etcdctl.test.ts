import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { EtcdClient } from '../../store/testing/etcd.ts';
import { freePort, removeDirectory, StoreProcess, temporaryDirectory } from '../../store/testing/process.ts';
import { type RunningProgram, startProgram } from '../lib/program.ts';
import { waitUntil } from '../lib/wait-until.ts';

/** etcdctl's commands against our store and a real etcd: what is printed must be the same. */

const execute = promisify(execFile);
const directory = temporaryDirectory();
const [store, etcd] = await Promise.all(
  (['store', 'etcd'] as const).map(async (kind) =>
    StoreProcess.start({ kind, dataDir: join(directory, kind), port: await freePort() }),
  ),
);
t.teardown(async () => {
  await Promise.all([store!.stop(), etcd!.stop()]);
  removeDirectory(directory);
});

async function etcdctl(target: StoreProcess, args: readonly string[], input = ''): Promise<string> {
  const running = execute('etcdctl', ['--endpoints', target.url, '--command-timeout', '20s', ...args], {
    env: { ...process.env, ETCDCTL_API: '3' },
  });
  running.child.stdin?.end(input);
  try {
    return (await running).stdout;
  } catch (error) {
    const { stderr } = error as { stderr: string };
    // The client's own log lines carry times and addresses.
    return stderr
      .split('\n')
      .filter((line) => !line.startsWith('{'))
      .join('\n');
  }
}

/** A command that goes on until it is stopped. */
function etcdctlStarted(target: StoreProcess, args: readonly string[]): RunningProgram {
  return startProgram('etcdctl', ['--endpoints', target.url, ...args], { environment: { ETCDCTL_API: '3' } });
}

/** What differs between any two servers. */
function comparable(output: string): string {
  return output
    .replaceAll(store!.url, 'URL')
    .replaceAll(etcd!.url, 'URL')
    .replace(/"(cluster_id|member_id|raft_term|raftTerm|leader|ID)":\d+/g, '"$1":0')
    .replace(/"(ClusterID|MemberID)" : \d+/g, '"$1" : 0')
    .replace(/\b[0-9a-f]{16}\b/g, 'ID')
    .replace(/took = [\d.]+m?s/, 'took');
}

const grant = '7f';
const same: { args: string[]; input?: string }[] = [
  { args: ['put', 'a', '1'] },
  { args: ['put', 'a', '2', '--prev-kv'] },
  { args: ['put', 'b', '3', '-w', 'json'] },
  { args: ['put', 'b', '--ignore-value'] },
  { args: ['put', 'none', '--ignore-value'] },
  { args: ['put', 'c', '4', '--lease', '1234'] },
  { args: ['get', 'a'] },
  { args: ['get', 'a', '-w', 'json'] },
  { args: ['get', '', '--prefix', '-w', 'fields'] },
  { args: ['get', '', '--prefix', '--keys-only'] },
  { args: ['get', 'a', 'c', '--limit', '1', '-w', 'json'] },
  { args: ['get', '', '--from-key', '--order', 'DESCEND', '--sort-by', 'MODIFY'] },
  { args: ['get', 'a', '--rev', '2'] },
  { args: ['get', 'a', '--rev', '99'] },
  { args: ['get', 'missing'] },
  { args: ['get', 'a', '--print-value-only', '--hex'] },
  { args: ['txn'], input: 'value("a") = "2"\n\nput d 5\nget a\n\nget b\n\n' },
  { args: ['txn'], input: 'version("zz") > "0"\n\nput d 6\n\ndel d\n\n' },
  { args: ['txn'], input: '\nput e 1\nput e 2\n\n\n' },
  { args: ['lease', 'list'] },
  { args: ['lease', 'timetolive', grant] },
  { args: ['lease', 'keep-alive', grant, '--once'] },
  { args: ['lease', 'revoke', grant] },
  { args: ['del', 'a', '--prev-kv'] },
  { args: ['del', '', '--from-key'] },
  { args: ['put', 'x', '1'] },
  { args: ['put', 'x', '2'] },
  { args: ['endpoint', 'hashkv', '-w', 'json'] },
  { args: ['compaction', '5'] },
  { args: ['compaction', '5'] },
  { args: ['compaction', '99'] },
  { args: ['get', 'a', '--rev', '2'] },
  { args: ['compaction', '8', '--physical'] },
  { args: ['endpoint', 'health'] },
  { args: ['alarm', 'list'] },
  { args: ['alarm', 'disarm'] },
  { args: ['defrag'] },
  { args: ['member', 'remove', '1'] },
  { args: ['move-leader', '1'] },
  { args: ['user', 'list'] },
  { args: ['role', 'list'] },
  { args: ['lock', 'l', 'echo', 'locked'] },
];

t.test('etcdctl prints the same for our store as for etcd', async (t) => {
  for (const { args, input } of same) {
    const [mine, theirs] = [await etcdctl(store!, args, input), await etcdctl(etcd!, args, input)];
    t.equal(comparable(mine), comparable(theirs), args.join(' '));
  }
});

t.test('etcdctl lease: granted, attached, seen with its keys, revoked with them', async (t) => {
  const granted = await etcdctl(store!, ['lease', 'grant', '300']);
  t.match(granted, /^lease [0-9a-f]+ granted with TTL\(300s\)/);
  const id = granted.split(' ')[1]!;
  await etcdctl(store!, ['put', 'leased', '1', '--lease', id]);
  t.match(await etcdctl(store!, ['lease', 'timetolive', id, '--keys']), /attached keys\(\[leased\]\)/);
  t.match(await etcdctl(store!, ['lease', 'keep-alive', id, '--once']), /keepalived with TTL\(300\)/);
  t.match(await etcdctl(store!, ['lease', 'list']), new RegExp(id));
  t.match(await etcdctl(store!, ['lease', 'revoke', id]), /revoked/);
  t.equal(await etcdctl(store!, ['get', 'leased']), '');
});

t.test('etcdctl watch sees history, changes and deletions with previous values', async (t) => {
  await etcdctl(store!, ['put', 'w/1', 'old']);
  const first = /"mod_revision":(\d+)/.exec(await etcdctl(store!, ['get', 'w/1', '-w', 'json']))![1]!;
  const watching = etcdctlStarted(store!, ['watch', 'w/', '--prefix', '--prev-kv', '--rev', first]);
  await etcdctl(store!, ['put', 'w/1', 'new']);
  await etcdctl(store!, ['del', 'w/1']);
  // etcdctl prints each line by itself: only the last one says that all are there.
  const lines = () => watching.stdout().replace(/\n+/g, '\n');
  const expected = 'PUT\nw/1\nold\nPUT\nw/1\nold\nw/1\nnew\nDELETE\nw/1\nnew\nw/1\n';
  await waitUntil('three events', () => lines().length >= expected.length);
  await watching.stop();
  t.equal(lines(), expected);
});

t.test('etcdctl elect, endpoint status, member list', async (t) => {
  const electing = etcdctlStarted(store!, ['elect', 'e', 'me']);
  await waitUntil('the election', () => electing.stdout().includes('me\n'));
  await electing.stop();
  t.match(electing.stdout(), /^e\/[0-9a-f]+\nme\n$/);
  t.match(await etcdctl(store!, ['endpoint', 'status']), /, 3\.5\.0, .* true, false, 2, /);
  t.match(await etcdctl(store!, ['member', 'list']), /started, default, /);
});

t.test('what a single member cannot do is refused in words', async (t) => {
  t.match(await etcdctl(store!, ['member', 'add', 'x', '--peer-urls', 'http://127.0.0.1:1']), /one member/);
  t.match(await etcdctl(store!, ['auth', 'enable']), /client certificates/);
  t.match(await etcdctl(store!, ['user', 'add', 'x:y']), /client certificates/);
});

t.test('make-mirror copies from our store to an etcd', async (t) => {
  await etcdctl(store!, ['put', 'mirror/a', '1']);
  const mirroring = etcdctlStarted(store!, ['make-mirror', '--prefix', 'mirror/', etcd!.url]);
  await waitUntil('the mirror', async () => (await etcdctl(etcd!, ['get', 'mirror/a'])) === 'mirror/a\n1\n');
  await mirroring.stop();
  t.equal(await etcdctl(etcd!, ['get', 'mirror/a']), 'mirror/a\n1\n');
});

t.test(
  'a snapshot of our store is restored by etcdctl into an etcd, and back, with all revisions',
  async (t) => {
    const client = await store!.connect();
    const direct = new EtcdClient(client);
    // Enough for branch pages, and values larger than a page.
    for (let i = 0; i < 300; i++)
      await direct.put({ key: Buffer.from(`many/${i}`), value: Buffer.alloc(i % 100 === 0 ? 9000 : 200, i) });
    client.close();
    const saved = join(directory, 'ours.db');
    t.match(await etcdctl(store!, ['snapshot', 'save', saved]), /saved at/);
    const status = JSON.parse(await etcdctl(store!, ['snapshot', 'status', saved, '-w', 'json']));
    t.ok(status.totalKey > 300, `${status.totalKey} records`);
    const cli = join(import.meta.dirname, '../../store/snapshot-cli.ts');
    const ours = await execute(process.execPath, [cli, 'status', saved]);
    t.match(ours.stdout, `revision ${status.revision}, ${status.totalKey} keys, ${status.totalSize} bytes`);
    t.match(ours.stdout, `hash ${status.hash.toString(16)},`);

    const restored = join(directory, 'restored');
    await execute('etcdctl', ['snapshot', 'restore', saved, '--data-dir', restored], {
      env: { ...process.env, ETCDCTL_API: '3' },
    });
    const theirs = await StoreProcess.start({ kind: 'etcd', dataDir: restored, port: await freePort() });
    const content = (target: StoreProcess) => etcdctl(target, ['get', '', '--prefix', '-w', 'json']);
    const pick = (json: string) => JSON.stringify(JSON.parse(json).kvs);
    t.equal(pick(await content(theirs)), pick(await content(store!)), 'etcd holds what our store held');
    await etcdctl(theirs, ['put', 'after', 'restore']);
    const backup = join(directory, 'theirs.db');
    await etcdctl(theirs, ['snapshot', 'save', backup]);
    const theirContent = pick(await content(theirs));
    await theirs.stop();

    const back = join(directory, 'back');
    mkdirSync(back);
    await execute(process.execPath, [cli, 'restore', backup, '--data-dir', back]);
    const again = await StoreProcess.start({ kind: 'store', dataDir: back, port: await freePort() });
    t.equal(pick(await content(again)), theirContent, 'our store holds what the etcd held');
    await again.stop();

    writeFileSync(join(directory, 'cut.db'), readFileSync(backup).subarray(0, -700));
    await t.rejects(
      execute(process.execPath, [
        cli,
        'restore',
        join(directory, 'cut.db'),
        '--data-dir',
        join(directory, 'no'),
      ]),
      /no hash at its end|does not match its hash/,
      'a damaged file is refused',
    );
  },
);
