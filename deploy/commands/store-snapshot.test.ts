import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runProgram } from '../../test/lib/program.ts';
import { type ClusterConfig, completeConfig } from '../config.ts';
import { acquireLock } from '../lock.ts';
import { pathsOf, repository } from '../paths.ts';
import { identify, writePidFile } from '../processes.ts';
import { writeConfig } from '../saved-config.ts';

const nkube = (dataDir: string, args: string[]) =>
  runProgram(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(repository, 'deploy', 'cli.ts'), ...args],
    { environment: { NEKALAKUBE_DATA_DIR: dataDir } },
  );

const config = (etcd?: ClusterConfig['etcd']): ClusterConfig =>
  completeConfig({ ...(etcd && { etcd }) }, undefined, { hostname: 'node-1', nodeIP: '192.0.2.1' });

t.test('a restore is refused where it would harm, and leaves everything as it is', async (t) => {
  const file = join(t.testdir({ text: 'no snapshot' }), 'text');
  const cases: [string, (dataDir: string) => unknown, RegExp][] = [
    [
      'running',
      (dataDir) =>
        writePidFile(pathsOf(dataDir).pidFile('store'), {
          ...identify(process.pid)!,
          command: [],
          restarts: 0,
          startedAt: new Date().toISOString(),
        }),
      /the cluster runs \(store\): stop it with 'nkube down'/,
    ],
    [
      'etcd',
      (dataDir) => writeConfig(pathsOf(dataDir), config({ servers: ['http://192.0.2.1:2379'] })),
      /keeps its objects in the etcd at http:\/\/192\.0\.2\.1:2379: restore it there/,
    ],
    ['no-snapshot', () => undefined, /text: no hash at its end; the file is cut off or not a snapshot/],
  ];
  for (const [name, prepare, message] of cases) {
    const dataDir = join(t.testdirName, name);
    prepare(dataDir);
    const result = await nkube(dataDir, ['store', 'snapshot', 'restore', file, '--replace']);
    t.equal(result.code, 1, name);
    t.match(result.stderr, message);
    t.notOk(existsSync(pathsOf(dataDir).store));
  }
  const dataDir = join(t.testdirName, 'locked');
  const lock = await acquireLock(`up:${dataDir}`);
  const result = await nkube(dataDir, ['store', 'snapshot', 'restore', file]);
  await lock?.release();
  t.equal(result.code, 1);
  t.match(result.stderr, 'another nkube up or down works on');
});

t.test('up does not start without objects where a restore was cut off', async (t) => {
  const dataDir = t.testdir({ 'store.restoring': {} });
  const result = await nkube(dataDir, ['up']);
  t.equal(result.code, 1);
  t.match(result.stderr, "a restore was cut off: run 'nkube store snapshot restore' again, or remove");
  t.same(readdirSync(dataDir), ['store.restoring']);
});

t.test('save says what is missing', async (t) => {
  const save = ['store', 'snapshot', 'save', join(t.testdir(), 'backup.db')];
  const none = await nkube(join(t.testdirName, 'none'), save);
  t.match(none, { code: 1, stderr: /no cluster in .*none: start one with 'nkube up'/ });
  const down = join(t.testdirName, 'down');
  writeConfig(pathsOf(down), config());
  t.match(await nkube(down, save), { code: 1, stderr: /the store does not run: start the cluster/ });
  const elsewhere = await nkube(join(t.testdirName, 'none'), [...save, '--endpoints', 'http://127.0.0.1:1']);
  t.match(elsewhere, { code: 1, stderr: /cannot connect to http:\/\/127\.0\.0\.1:1: / });
  t.notOk(existsSync(join(t.testdirName, 'backup.db')));
});

t.test('save takes the address and certificates of the cluster unless told otherwise', async (t) => {
  const dataDir = t.testdir({ 'ca.crt': 'not a certificate' });
  writeConfig(
    pathsOf(dataDir),
    config({ servers: ['https://127.0.0.1:1'], caFile: join(dataDir, 'none.crt') }),
  );
  const save = ['store', 'snapshot', 'save', join(dataDir, 'backup.db')];
  t.match((await nkube(dataDir, save)).stderr, /none\.crt: no such file or directory/);
  const given = await nkube(dataDir, [...save, '--cacert', join(dataDir, 'ca.crt')]);
  t.notMatch(given.stderr, /none\.crt/);
  t.match(given, { code: 1, stderr: /cannot connect to https:\/\/127\.0\.0\.1:1: / });
});
