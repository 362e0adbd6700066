import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { connect } from 'node:net';
import type { ProcessSpec } from './components.ts';
import { openLog, rotateLog } from './log-files.ts';
import type { Paths } from './paths.ts';
import {
  identify,
  isAlive,
  type ProcessIdentity,
  readPidFile,
  removePidFile,
  signalProcess,
  waitForEnd,
  writePidFile,
} from './processes.ts';
import { healthyMilliseconds, restartDelay } from './restart-delay.ts';

/** How often an adopted process, which reports no end to us, is looked at. */
const adoptedPoll = 500;

/** A process starts after this long even if the one that it waits for does not. */
const longestWait = 10_000;

/**
 * Keeps one process running. Invariant: at most one live process of this name exists, because a start happens
 * only after the pid file's process was adopted or seen dead, and every start is written to the pid file.
 */
export class SupervisedProcess {
  readonly spec: ProcessSpec;
  readonly #paths: Paths;
  readonly #log: (message: string) => void;
  #current: ProcessIdentity | undefined;
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #earlyEnds = 0;
  #restarts = 0;
  #stopping = false;

  constructor(spec: ProcessSpec, paths: Paths, log: (message: string) => void) {
    this.spec = spec;
    this.#paths = paths;
    this.#log = log;
  }

  /** Adopts a process that an earlier supervisor left, if it runs the wanted command, else starts one. */
  async begin(): Promise<void> {
    const left = readPidFile(this.#paths.pidFile(this.spec.name));
    if (left && JSON.stringify(left.command) === JSON.stringify(this.spec.command)) {
      this.#log(`${this.spec.name}: adopted pid ${left.pid}`);
      this.#current = left;
      this.#startedAt = Date.parse(left.startedAt);
      this.#restarts = left.restarts;
      this.#watchAdopted(left);
      return;
    }
    if (left) {
      this.#log(`${this.spec.name}: pid ${left.pid} runs another command, stopping it`);
      await endProcess(left, this.spec.stopMilliseconds);
    }
    if (this.spec.after !== undefined) await portOpens(this.spec.after, longestWait, () => this.#stopping);
    if (!this.#stopping) this.#start();
  }

  /** Asks the process to end, and makes it end after the time in its spec. It is not started again. */
  async stop(): Promise<void> {
    this.release();
    if (this.#current) await endProcess(this.#current, this.spec.stopMilliseconds);
    removePidFile(this.#paths.pidFile(this.spec.name));
    this.#log(`${this.spec.name}: stopped`);
  }

  /** Stops watching and leaves the process running. */
  release(): void {
    this.#stopping = true;
    clearTimeout(this.#timer);
  }

  rotate(): void {
    try {
      rotateLog(this.#paths.log(this.spec.name));
    } catch (error) {
      this.#log(`${this.spec.name}: cannot turn its log over: ${(error as Error).message}`);
    }
  }

  #start(): void {
    const [program, ...args] = this.spec.command as [string, ...string[]];
    let child: ChildProcess;
    try {
      const output = openLog(this.#paths.log(this.spec.name));
      try {
        child = spawn(program, args, {
          detached: true,
          stdio: ['ignore', output, output],
          cwd: '/',
          env: { ...process.env, ...this.spec.environment },
        });
      } finally {
        closeSync(output);
      }
    } catch (error) {
      this.#ended(`cannot be started: ${(error as Error).message}`);
      return;
    }
    this.#startedAt = Date.now();
    child.once('error', (error) => this.#ended(`cannot be started: ${error.message}`));
    if (child.pid === undefined) return; // 'error' follows
    const identity = identify(child.pid);
    this.#current = identity;
    if (identity)
      writePidFile(this.#paths.pidFile(this.spec.name), {
        ...identity,
        command: this.spec.command,
        restarts: this.#restarts,
        startedAt: new Date(this.#startedAt).toISOString(),
      });
    this.#log(`${this.spec.name}: started pid ${child.pid}`);
    child.once('exit', (code, signal) =>
      this.#ended(
        `pid ${child.pid} ended ${signal ? `by ${signal}` : `with code ${code}`}`,
        signal === 'SIGKILL',
      ),
    );
  }

  #watchAdopted(identity: ProcessIdentity): void {
    this.#timer = setTimeout(() => {
      if (isAlive(identity)) this.#watchAdopted(identity);
      else this.#ended(`pid ${identity.pid} ended`, true);
    }, adoptedPoll);
  }

  /** @param fromOutside it was killed, or nobody knows how it ended: no sign that it would fail again */
  #ended(how: string, fromOutside = false): void {
    this.#current = undefined;
    if (this.#stopping) return;
    const early = Date.now() - this.#startedAt < healthyMilliseconds;
    this.#earlyEnds = early ? (fromOutside ? 1 : this.#earlyEnds + 1) : 0;
    const delay = restartDelay(this.#earlyEnds);
    this.#log(`${this.spec.name}: ${how}; starting again in ${delay / 1000} s`);
    this.#restarts++;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#start(), delay);
  }
}

/** Resolves when somebody listens on a loopback port, at the latest after the given time. */
async function portOpens(port: number, milliseconds: number, givenUp: () => boolean): Promise<void> {
  const deadline = Date.now() + milliseconds;
  const open = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  while (!givenUp() && Date.now() < deadline && !(await open()))
    await new Promise((resolve) => setTimeout(resolve, 25));
}

/** SIGTERM, then SIGKILL after the given time. */
export async function endProcess(identity: ProcessIdentity, milliseconds: number): Promise<void> {
  if (!signalProcess(identity, 'SIGTERM')) return;
  for (const late of await waitForEnd([identity], milliseconds)) signalProcess(late, 'SIGKILL');
  await waitForEnd([identity], 5_000);
}
