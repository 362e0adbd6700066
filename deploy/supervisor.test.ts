import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { liveProcesses, startSupervisor, stopProcesses, supervisorCommand } from './cluster-processes.ts';
import type { ProcessName, ProcessSpec } from './components.ts';
import { type Paths, pathsOf } from './paths.ts';
import { identify, isAlive, type PidRecord } from './processes.ts';
import { waitFor } from './wait.ts';

/** A process that notes when it is asked to end. */
const program = (name: string, notes: string, mark = '') => `
  const fs = require('node:fs'); // ${mark}
  process.on('SIGTERM', () => { fs.appendFileSync(${JSON.stringify(notes)}, ${JSON.stringify(`${name}\n`)}); process.exit(0); });
  fs.appendFileSync(${JSON.stringify(`${notes}.starts`)}, ${JSON.stringify(`${name}\n`)});
  setInterval(() => {}, 1e6);`;

const names = ['store', 'apiserver', 'kubelet', 'scheduler'] as const satisfies ProcessName[];

function prepare(t: { teardown(undo: () => Promise<void>): void }): {
  paths: Paths;
  notes: string;
  write: (mark?: string) => void;
} {
  // Not t.testdir(): that is removed before the processes in it are stopped.
  const dataDir = mkdtempSync(join(tmpdir(), 'nkube-supervisor-'));
  const paths = pathsOf(dataDir);
  t.teardown(async () => {
    await stopProcesses(paths);
    rmSync(dataDir, { recursive: true, force: true });
  });
  const notes = join(dataDir, 'notes');
  mkdirSync(paths.run, { recursive: true });
  const write = (mark?: string) => {
    const specs: ProcessSpec[] = names.map((name) => ({
      name,
      command: [process.execPath, '-e', program(name, notes, mark)],
      environment: {},
      stopMilliseconds: 30_000,
    }));
    writeFileSync(paths.processes, JSON.stringify(specs));
  };
  write();
  return { paths, notes, write };
}

const started = (notes: string) =>
  existsSync(`${notes}.starts`) ? readFileSync(`${notes}.starts`, 'utf8').trim().split('\n') : [];

/** Waits until all processes run and have set themselves up, `times` starts each. */
const allRun = (paths: Paths, notes: string, times: number) =>
  waitFor(
    async () => {
      const missing = names.filter((name) => started(notes).filter((line) => line === name).length < times);
      const live = liveProcesses(paths);
      return missing.length === 0 && live.size === names.length + 1 ? undefined : `missing: ${missing}`;
    },
    { what: 'all processes run', milliseconds: 60_000 },
  );

const must = (paths: Paths, name: ProcessName | 'supervisor'): PidRecord => {
  const record = liveProcesses(paths).get(name);
  if (!record) throw new Error(`${name} does not run`);
  return record;
};

const replaced = (paths: Paths, name: ProcessName | 'supervisor', old: PidRecord) =>
  waitFor(
    async () => {
      const now = liveProcesses(paths).get(name);
      return now && now.pid !== old.pid ? undefined : 'not yet';
    },
    { what: `${name} is replaced`, milliseconds: 60_000 },
  );

t.test('a killed process comes back, the others go on', async (t) => {
  const { paths, notes } = prepare(t);
  startSupervisor(paths);
  await allRun(paths, notes, 1);
  const store = must(paths, 'store');
  const kubelet = must(paths, 'kubelet');
  process.kill(store.pid, 'SIGKILL');
  await replaced(paths, 'store', store);
  t.equal(must(paths, 'store').restarts, 1);
  t.equal(must(paths, 'kubelet').pid, kubelet.pid);
});

t.test('a killed supervisor is replaced by its guard, which adopts all and doubles nothing', async (t) => {
  const { paths, notes } = prepare(t);
  startSupervisor(paths);
  await allRun(paths, notes, 1);
  const before = liveProcesses(paths);
  for (const round of [1, 2]) {
    const supervisor = must(paths, 'supervisor');
    process.kill(supervisor.pid, 'SIGKILL');
    await replaced(paths, 'supervisor', supervisor);
    await waitFor(
      async () => {
        const adopted = readFileSync(paths.log('supervisor'), 'utf8').match(/adopted pid/g)?.length ?? 0;
        return adopted >= round * names.length ? undefined : `${adopted} adopted`;
      },
      { what: 'all are adopted', milliseconds: 60_000 },
    );
  }
  for (const name of names) t.equal(must(paths, name).pid, before.get(name)?.pid, name);
  t.same(started(notes).sort(), [...names].sort(), 'each was started once');
  const apiserver = must(paths, 'apiserver');
  process.kill(apiserver.pid, 'SIGKILL');
  await replaced(paths, 'apiserver', apiserver);
  t.pass('an adopted process is watched too');
});

t.test('an orderly stop ends processes in order and leaves none, nor a pid file', async (t) => {
  const { paths, notes } = prepare(t);
  startSupervisor(paths);
  await allRun(paths, notes, 1);
  const before = [...liveProcesses(paths).values()];
  await stopProcesses(paths);
  t.same(readFileSync(notes, 'utf8').trim().split('\n'), ['scheduler', 'kubelet', 'apiserver', 'store']);
  t.same(before.filter(isAlive), []);
  for (const name of ['supervisor', ...names]) t.notOk(existsSync(paths.pidFile(name)), name);
});

t.test('what a dead supervisor left is stopped too', async (t) => {
  const { paths, notes } = prepare(t);
  const [command, ...args] = supervisorCommand(paths);
  const supervisor = spawn(command, [...args, '--no-guard'], { stdio: 'ignore' });
  await allRun(paths, notes, 1);
  const before = [...liveProcesses(paths).values()];
  const ended = once(supervisor, 'exit');
  supervisor.kill('SIGKILL');
  await ended;
  t.equal(before.filter(isAlive).length, names.length, 'they outlive it');
  await stopProcesses(paths);
  t.same(before.filter(isAlive), []);
});

t.test('a process that runs another command than wanted is replaced, and once only', async (t) => {
  const { paths, notes, write } = prepare(t);
  const [command, ...args] = supervisorCommand(paths);
  const first = spawn(command, [...args, '--no-guard'], { stdio: 'ignore' });
  await allRun(paths, notes, 1);
  const before = liveProcesses(paths);
  const ended = once(first, 'exit');
  first.kill('SIGKILL');
  await ended;
  write('changed');
  startSupervisor(paths);
  await allRun(paths, notes, 2);
  for (const name of names) {
    t.not(must(paths, name).pid, before.get(name)?.pid, name);
    t.notOk(isAlive(before.get(name)!), `the old ${name} has ended`);
  }
});

t.test('a second supervisor of the same data directory gives way', async (t) => {
  const { paths, notes } = prepare(t);
  startSupervisor(paths);
  await allRun(paths, notes, 1);
  const [command, ...args] = supervisorCommand(paths);
  const [code] = await once(spawn(command, args, { stdio: 'ignore' }), 'exit');
  t.equal(code, 0);
  t.same(started(notes).length, names.length);
});

t.test('a pid that another process has got is not taken for ours', async (t) => {
  const own = identify(process.pid)!;
  t.ok(isAlive(own));
  t.notOk(isAlive({ ...own, startTime: String(Number(own.startTime) + 1) }));
  t.notOk(isAlive({ ...own, bootID: 'another' }));
});
