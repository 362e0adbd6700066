import { randomBytes } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { EtcdClient } from '../../store/testing/etcd.ts';
import { freePort, removeDirectory, StoreProcess, temporaryDirectory } from '../../store/testing/process.ts';
import { mountMemory, remount, unmount } from '../lib/mounts.ts';
import { random } from '../lib/random.ts';

/** Damaged, full, read-only and shared disks: a clear refusal, or all the data, never silent loss. */

const root = temporaryDirectory();
t.teardown(() => removeDirectory(root));
const port = await freePort();
const start = (dataDir: string, flags: string[] = []) =>
  StoreProcess.start({ kind: 'store', dataDir, port, flags });

/** Everything a client can see, in one string. */
async function content(store: StoreProcess): Promise<string> {
  const client = await store.connect();
  const etcd = new EtcdClient(client);
  const [{ kvs, header }, { hash }] = await Promise.all([
    etcd.range({ key: Buffer.from('\0'), range_end: Buffer.from('\0') }),
    etcd.hashKV({}),
  ]);
  client.close();
  return `${header!.revision} ${hash} ${kvs.map(({ key, value }) => `${key}=${value}`).join()}`;
}

async function fill(store: StoreProcess, count: number, size: number): Promise<void> {
  const client = await store.connect();
  const etcd = new EtcdClient(client);
  for (let i = 0; i < count; i++)
    await etcd.put({ key: Buffer.from(`key-${i % 40}`), value: Buffer.alloc(size, 97 + (i % 26)) });
  client.close();
}

/** Bytes up to the last one that is not 0. */
function usedBytes(path: string): number {
  const bytes = readFileSync(path);
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}

/** A directory with data in log and table files, made once. */
const original = join(root, 'original');
const writer = await start(original);
await fill(writer, 200, 200);
const whole = await content(writer);
await writer.stop();
// Opening moves the log into a table; then more goes into a new log.
const second = await start(original);
await fill(second, 60, 100);
const wholeNow = await content(second);
await second.stop('SIGKILL');
const wholeRevision = Number(wholeNow.split(' ')[0]);

function copy(name: string): string {
  const directory = join(root, name);
  cpSync(original, directory, { recursive: true });
  return directory;
}

const files = (directory: string, extension: string) =>
  readdirSync(join(directory, 'member'))
    .filter((name) => name.endsWith(extension))
    .map((name) => join(directory, 'member', name));

async function refusal(dataDir: string, flags: string[] = []): Promise<string> {
  const started = StoreProcess.spawn({ kind: 'store', dataDir, port, flags });
  const { code } = await started.ended;
  return `${code} ${started.log}`;
}

t.test('undamaged data survive kill -9 as they were', async (t) => {
  const directory = copy('same');
  const store = await start(directory);
  t.equal(await content(store), wholeNow);
  t.not(whole, wholeNow);
  await store.stop();
});

const cutLog = (directory: string) => {
  const log = files(directory, '.log').find((path) => statSync(path).size > 1000)!;
  truncateSync(log, Math.floor(statSync(log).size / 2));
};

t.test('a LevelDB log that is cut off is made whole from the journal', async (t) => {
  const directory = copy('cut');
  cutLog(directory);
  const store = await start(directory);
  t.equal(await content(store), wholeNow);
  await store.stop();
});

t.test('a log that is cut off after an orderly end is refused, or accepted on demand', async (t) => {
  const directory = copy('cut-later');
  const stopped = await start(directory);
  await fill(stopped, 60, 100);
  await stopped.stop();
  cutLog(directory);
  t.match(
    await refusal(directory),
    /^1 .*end at revision \d+, but writes up to revision 321 were acknowledged/s,
  );
  const store = await start(directory, ['--accept-data-loss']);
  const revision = Number((await content(store)).split(' ')[0]);
  t.ok(revision >= 261 && revision < 321, `goes on from revision ${revision}`);
  t.match(store.log, `going on from revision ${revision} as told`);
  await store.stop('SIGKILL');
  const again = await start(directory);
  t.match(await content(again), new RegExp(`^${revision} `), 'and needs no telling again');
  await again.stop();
});

t.test('a journal that is missing is refused, or accepted on demand', async (t) => {
  const directory = copy('no-journal');
  rmSync(join(directory, 'journal'), { recursive: true });
  t.match(await refusal(directory), /^1 .*the journal, which may hold later writes, is missing or damaged/s);
  const store = await start(directory, ['--accept-data-loss']);
  t.match(await content(store), /^\d+ /);
  await store.stop();
});

t.test('a flipped bit in the journal is refused, or changes nothing', async (t) => {
  const next = random(11);
  const directory = join(root, 'flip-journal');
  const used = Math.max(...['0', '1'].map((name) => usedBytes(join(original, 'journal', name))));
  t.ok(used > 10_000, `${used} bytes of journal`);
  let refused = 0;
  for (let round = 0; round < 8; round++) {
    rmSync(directory, { recursive: true, force: true });
    cpSync(original, directory, { recursive: true });
    const path = ['0', '1']
      .map((name) => join(directory, 'journal', name))
      .find((each) => usedBytes(each) > 0)!;
    const bytes = readFileSync(path);
    const at = Math.floor(next() * usedBytes(path));
    bytes[at]! ^= 1 << Math.floor(next() * 8);
    writeFileSync(path, bytes);
    // Without its log LevelDB depends on the journal.
    if (round % 2 === 1) cutLog(directory);
    const store = StoreProcess.spawn({ kind: 'store', dataDir: directory, port });
    const started = await store.answers().then(
      () => true,
      () => false,
    );
    if (started && round % 2 === 0)
      t.equal(await content(store), wholeNow, `nothing changed by a flip at ${at}`);
    else if (started) {
      // Only a flip in the very last write can pass for a write that was torn.
      const revision = Number((await content(store)).split(' ')[0]);
      t.ok(revision >= wholeRevision - 1, `revision ${revision} after a flip at ${at} of ${usedBytes(path)}`);
    } else {
      refused++;
      t.match(store.log, /"level":60.*"msg":"[^"]{20,}/, `refused in words after a flip at ${at}`);
      const accepting = await start(directory, ['--accept-data-loss']);
      const revision = Number((await content(accepting)).split(' ')[0]);
      await fill(accepting, 5, 100);
      await accepting.stop('SIGKILL');
      const again = await start(directory);
      t.match(
        await content(again),
        new RegExp(`^${revision + 5} `),
        'what is behind the damage stays forgotten',
      );
      await again.stop();
    }
    await store.stop('SIGKILL');
  }
  t.ok(refused > 0, `${refused} of 8 were refused`);
});

t.test('a flipped bit anywhere is refused, or changes nothing', async (t) => {
  const next = random(7);
  const directory = join(root, 'flip');
  let refused = 0;
  const rounds = 12;
  for (let round = 0; round < rounds; round++) {
    rmSync(directory, { recursive: true, force: true });
    cpSync(original, directory, { recursive: true });
    const candidates = files(directory, '').filter(
      (path) => /\d+\.(log|ldb)$|MANIFEST/.test(path) && statSync(path).size > 0,
    );
    const path = candidates[Math.floor(next() * candidates.length)]!;
    const bytes = readFileSync(path);
    const at = Math.floor(next() * bytes.length);
    bytes[at]! ^= 1 << Math.floor(next() * 8);
    writeFileSync(path, bytes);
    const where = `${path.split('/').at(-1)} byte ${at} of ${bytes.length}`;
    const store = StoreProcess.spawn({ kind: 'store', dataDir: directory, port });
    const started = await store.answers().then(
      () => true,
      () => false,
    );
    if (started) t.equal(await content(store), wholeNow, `nothing changed by a flip in ${where}`);
    else {
      refused++;
      t.match(store.log, /"level":60.*"msg":"[^"]{20,}/, `refused in words after a flip in ${where}`);
    }
    await store.stop('SIGKILL');
  }
  t.ok(refused > 0, `${refused} of ${rounds} were refused`);
});

t.test('a missing table file is refused', async (t) => {
  const directory = copy('missing');
  rmSync(files(directory, '.ldb')[0]!);
  t.match(await refusal(directory), /^1 .*(missing files|records were written)/s);
});

t.test('a second process on the same data is refused, lock file or not', async (t) => {
  const directory = copy('shared');
  const store = await start(directory);
  const other = await freePort();
  const attempt = async () => {
    const started = StoreProcess.spawn({ kind: 'store', dataDir: directory, port: other });
    const { code } = await started.ended;
    return `${code} ${started.log}`;
  };
  t.match(await attempt(), /^1 .*in use by another process/s);
  rmSync(join(directory, 'member', 'LOCK'));
  t.match(await attempt(), /^1 .*in use by another process/s);
  t.equal(await content(store), wholeNow);
  await store.stop();
});

const canMount = (() => {
  try {
    mountMemory(join(root, 'attempt'), '4m');
    unmount(join(root, 'attempt'));
    return true;
  } catch {
    return false;
  }
})();
const mountable = { skip: canMount ? false : 'needs permission to mount' };

t.test(
  'a full disk: writes fail in words, reads go on, and nothing acknowledged is lost',
  mountable,
  async (t) => {
    const directory = join(root, 'full');
    mountMemory(directory, '84m');
    try {
      const data = join(directory, 'data');
      const store = await start(data);
      const client = await store.connect();
      const etcd = new EtcdClient(client);
      let acknowledged = 0;
      let failure = '';
      while (!failure && acknowledged < 400)
        await etcd.put({ key: Buffer.from(`k${acknowledged}`), value: randomBytes(100_000) }).then(
          () => acknowledged++,
          (error: Error) => {
            failure = error.message;
          },
        );
      t.match(failure, /etcdserver: (write failed, its outcome is unknown|server stopped)/);
      const { count } = await etcd.range({
        key: Buffer.from('k'),
        range_end: Buffer.from('l'),
        count_only: true,
      });
      t.equal(count, acknowledged, 'what was acknowledged is still read');
      await t.rejects(etcd.put({ key: Buffer.from('x') }), /etcdserver: server stopped/);
      client.close();
      await store.stop('SIGKILL');
      remount(directory, 'size=200m');
      const again = await start(data);
      const after = new EtcdClient(await again.connect());
      const found = await after.range({
        key: Buffer.from('k'),
        range_end: Buffer.from('l'),
        count_only: true,
      });
      t.ok(
        found.count >= acknowledged,
        `${found.count} of ${acknowledged} are there after a restart with room`,
      );
      after.client.close();
      await again.stop();
    } finally {
      unmount(directory);
    }
  },
);

t.test('a read-only disk is refused', mountable, async (t) => {
  const directory = join(root, 'readonly');
  mountMemory(directory, '96m');
  try {
    cpSync(original, join(directory, 'data'), { recursive: true });
    remount(directory, 'ro');
    t.match(await refusal(join(directory, 'data')), /^1 .*(Read-only|EROFS|read-only)/s);
  } finally {
    unmount(directory);
  }
});

t.test('writes beyond the quota are refused until space is freed and the alarm disarmed', async (t) => {
  const directory = join(root, 'quota');
  const store = await start(directory, ['--quota-backend-bytes=3000000']);
  const client = await store.connect();
  const etcd = new EtcdClient(client);
  const value = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 251));
  let failure = '';
  for (let i = 0; i < 100 && !failure; i++)
    await etcd.put({ key: Buffer.from('same'), value }).catch((error: Error) => {
      failure = error.message;
    });
  t.equal(failure, 'etcdserver: mvcc: database space exceeded');
  t.equal((await etcd.range({ key: Buffer.from('same') })).count, 1, 'reads go on');
  await etcd.deleteRange({ key: Buffer.from('nothing') });
  const alarms = async () => (await etcd.alarm({})).alarms.map(({ alarm }) => alarm);
  const deadline = Date.now() + 5000;
  while ((await alarms()).length === 0 && Date.now() < deadline);
  t.same(await alarms(), [1]);
  const { header } = await etcd.range({ key: Buffer.from('same') });
  await etcd.compact({ revision: header!.revision, physical: true });
  await etcd.defragment({});
  await t.rejects(etcd.put({ key: Buffer.from('same'), value }), /space exceeded/);
  await etcd.alarm({ action: 2, alarm: 1 });
  await etcd.status({});
  await etcd.put({ key: Buffer.from('same'), value });
  t.same(await alarms(), []);
  client.close();
  await store.stop();
});
