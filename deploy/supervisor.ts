// Keeps a cluster's processes running without a service manager. Usage: supervisor.ts DATA-DIR [--no-guard]
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import type { ProcessSpec } from './components.ts';
import { acquireLock } from './lock.ts';
import { rotateLog } from './log-files.ts';
import { pathsOf } from './paths.ts';
import { identify, removePidFile, writePidFile } from './processes.ts';
import { SupervisedProcess } from './supervised-process.ts';

const rotationInterval = 15_000;

/** Processes that may end together; a group ends before the next is asked to. */
const stopGroups: readonly (readonly string[])[] = [
  ['controller-manager', 'scheduler'],
  ['kubelet', 'proxy'],
  ['apiserver'],
  ['store'],
];

/** The engine outlives its supervisor: containers are stopped through it after everything else has ended. */
const left = 'dockerd';

const [dataDir, ...options] = process.argv.slice(2);
if (!dataDir) {
  process.stderr.write('Usage: supervisor.ts DATA-DIR [--no-guard]\n');
  process.exit(1);
}
const paths = pathsOf(dataDir);
const log = (message: string) => process.stderr.write(`${new Date().toISOString()} ${message}\n`);

let guard: ChildProcess | undefined;
let stopping = false;

/**
 * A shell of one megabyte that waits on a pipe held open by this process. When this process dies without
 * saying so, the pipe ends and the shell becomes the next supervisor, which adopts what still runs. Each
 * brings the other back, so only an end of both at once needs `nkube up`.
 */
function startGuard(): void {
  if (stopping || options.includes('--no-guard')) return;
  guard = spawn(
    '/bin/sh',
    [
      '-c',
      'read -r word; [ "$word" = stop ] || exec "$0" "$@"',
      process.execPath,
      ...process.execArgv,
      ...process.argv.slice(1),
    ],
    { detached: true, stdio: ['pipe', 2, 2], cwd: '/' },
  );
  guard.on('error', (error) => log(`guard: ${error.message}`));
  guard.stdin?.on('error', () => {}); // it ended: 'exit' tells
  guard.on('exit', () => setTimeout(startGuard, 1_000));
}

const lock = await acquireLock(`supervisor:${paths.root}`);
if (!lock) {
  log('another supervisor of this data directory runs');
  process.exit(0);
}
const identity = identify(process.pid)!;
writePidFile(paths.pidFile('supervisor'), {
  ...identity,
  command: process.argv,
  restarts: 0,
  startedAt: new Date().toISOString(),
});
mkdirSync(paths.logs, { recursive: true });
const specs = JSON.parse(readFileSync(paths.processes, 'utf8')) as ProcessSpec[];
const processes = specs.map((spec) => new SupervisedProcess(spec, paths, log));

async function stop(signal: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  log(`stopping on ${signal}`);
  guard?.stdin?.end('stop\n');
  for (const group of stopGroups)
    await Promise.all(processes.filter((item) => group.includes(item.spec.name)).map((item) => item.stop()));
  for (const item of processes) if (item.spec.name === left) item.release();
  removePidFile(paths.pidFile('supervisor'));
  process.exit(0);
}

process.on('SIGTERM', stop);
process.on('SIGINT', stop);
process.on('SIGHUP', () => {}); // the terminal that started it may go
startGuard();
await Promise.all(processes.map((item) => item.begin()));
setInterval(() => {
  for (const item of processes) item.rotate();
  rotateLog(paths.log('supervisor'));
}, rotationInterval);
