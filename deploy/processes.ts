import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** A process that cannot be confused with a later one of the same pid. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks after boot, field 22 of /proc/PID/stat (proc(5)). */
  startTime: string;
  bootID: string;
}

/** Field 22 of /proc/PID/stat. The command in field 2 may hold spaces and brackets, so count from its end. */
export function startTimeOf(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie has ended: nothing can be adopted from it.
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

let bootID: string | undefined;
function currentBoot(): string {
  bootID ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return bootID;
}

/** Identity of a live process; undefined if there is none of this pid. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const startTime = startTimeOf(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return startTime === undefined ? undefined : { pid, startTime, bootID: currentBoot() };
  } catch {
    return undefined; // ended, or ended while it was read
  }
}

/** Whether this very process still lives. */
export function isAlive(process: ProcessIdentity): boolean {
  const now = identify(process.pid);
  return now !== undefined && now.startTime === process.startTime && now.bootID === process.bootID;
}

/** Signals the process if it still lives. Returns whether it did. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Writes a file so that readers see the old content or the new, never a part. */
export function writeAtomically(path: string, content: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content, { mode });
  renameSync(temporary, path);
}

/** What a pid file holds: the process and which command line it runs. */
export interface PidRecord extends ProcessIdentity {
  command: string[];
  /** How often it was started again by the supervisor that wrote this. */
  restarts: number;
  /** ISO 8601. */
  startedAt: string;
}

/** The live process that a pid file names; undefined if the file is missing, unreadable or out of date. */
export function readPidFile(path: string): PidRecord | undefined {
  let record: PidRecord;
  try {
    record = JSON.parse(readFileSync(path, 'utf8')) as PidRecord;
  } catch {
    return undefined;
  }
  return typeof record?.pid === 'number' && isAlive(record) ? record : undefined;
}

export function writePidFile(path: string, record: PidRecord): void {
  writeAtomically(path, `${JSON.stringify(record)}\n`, 0o600);
}

export function removePidFile(path: string): void {
  rmSync(path, { force: true });
}

/** Waits until none of the processes lives. Returns those that still do at the deadline. */
export async function waitForEnd(
  processes: readonly ProcessIdentity[],
  milliseconds: number,
): Promise<ProcessIdentity[]> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const alive = processes.filter(isAlive);
    if (alive.length === 0 || Date.now() >= deadline) return alive;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
