import { spawn } from 'node:child_process';
import { closeSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type ProcessName, stopOrder } from './components.ts';
import { openLog } from './log-files.ts';
import { type Paths, repository } from './paths.ts';
import { type PidRecord, readPidFile, removePidFile, signalProcess, waitForEnd } from './processes.ts';
import { endProcess } from './supervised-process.ts';

/** Live processes of a cluster by name, the supervisor's under its own. */
export function liveProcesses(paths: Paths): Map<ProcessName | 'supervisor', PidRecord> {
  const live = new Map<ProcessName | 'supervisor', PidRecord>();
  for (const name of ['supervisor', ...stopOrder] as const) {
    const record = readPidFile(paths.pidFile(name));
    if (record) live.set(name, record);
  }
  return live;
}

/** Flags of the supervisor's Node: it does little and should weigh little. */
export const supervisorCommand = (paths: Paths): [string, ...string[]] => [
  process.execPath,
  '--max-semi-space-size=1',
  '--max-old-space-size=64',
  '--disable-warning=ExperimentalWarning',
  join(repository, 'deploy', 'supervisor.ts'),
  paths.root,
];

/** Starts the supervisor in a session of its own, so that it outlives this command and its terminal. */
export function startSupervisor(paths: Paths): void {
  mkdirSync(paths.logs, { recursive: true, mode: 0o755 });
  const log = openLog(paths.log('supervisor'));
  const [program, ...args] = supervisorCommand(paths);
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    env: { ...process.env, NODE_COMPILE_CACHE: paths.compileCache },
  });
  closeSync(log);
  child.unref();
}

/** Longest that an orderly stop of all processes can take. */
const longestStop = 90_000;

/**
 * Stops the supervisor, which stops the others in order, then whatever a killed supervisor left behind. The
 * engine is left: containers are stopped through it afterwards.
 */
export async function stopProcesses(paths: Paths): Promise<void> {
  const supervisor = readPidFile(paths.pidFile('supervisor'));
  if (supervisor) {
    signalProcess(supervisor, 'SIGTERM');
    for (const late of await waitForEnd([supervisor], longestStop)) signalProcess(late, 'SIGKILL');
    await waitForEnd([supervisor], 5_000);
  }
  for (const name of stopOrder) {
    if (name === 'dockerd') continue;
    const record = readPidFile(paths.pidFile(name));
    if (record) await endProcess(record, 10_000);
    removePidFile(paths.pidFile(name));
  }
  removePidFile(paths.pidFile('supervisor'));
}
