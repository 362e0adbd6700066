import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GrpcClient } from '../grpc/client.ts';
import { EtcdClient } from './etcd.ts';

export { freePort } from '../../test/lib/free-port.ts';

/** What a store process is started as: ours, or a real etcd to compare with. */
export type Kind = 'store' | 'etcd';

export interface ProcessOptions {
  kind: Kind;
  dataDir: string;
  port: number;
  flags?: readonly string[];
  env?: Record<string, string>;
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'store-test-'));
}

/** Spares the many short-lived processes of a test their compilation. */
export const compileCache = join(import.meta.dirname, '../../node_modules/.cache/compile');

/** As a cluster starts its store (deploy/components.ts). */
const newSpace = '--max-semi-space-size=8';

/** One running store or etcd on loopback. */
export class StoreProcess {
  readonly url: string;
  private readonly child: ChildProcess;
  private readonly exited: Promise<{ code: number | null; signal: string | null }>;
  private stderr = '';

  private constructor(child: ChildProcess, url: string) {
    this.child = child;
    this.url = url;
    child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr = (this.stderr + chunk.toString()).slice(-65_536);
    });
    // A test that is cut short must not leave servers behind.
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        process.off('exit', end);
        resolve({ code, signal });
      });
    });
  }

  /** Starts a process without waiting for it. */
  static spawn({ kind, dataDir, port, flags = [], env }: ProcessOptions): StoreProcess {
    const url = `http://127.0.0.1:${port}`;
    const common = [`--data-dir=${dataDir}`, `--listen-client-urls=${url}`, `--advertise-client-urls=${url}`];
    const command =
      kind === 'store'
        ? [process.execPath, newSpace, join(import.meta.dirname, '../main.ts'), ...common, ...flags]
        : ['etcd', ...common, '--listen-peer-urls=http://127.0.0.1:0', '--log-level=error', ...flags];
    const child = spawn(command[0]!, command.slice(1), {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...env },
    });
    return new StoreProcess(child, url);
  }

  /**
   * Starts a process and waits until it answers.
   * @throws {Error} with its log if it ends first or takes more than 30 s.
   */
  static async start(options: ProcessOptions): Promise<StoreProcess> {
    const started = StoreProcess.spawn(options);
    await started.answers();
    return started;
  }

  get pid(): number {
    return this.child.pid!;
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  get log(): string {
    return this.stderr;
  }

  /** Waits until a connection answers a range. */
  async answers(): Promise<void> {
    const deadline = Date.now() + 30_000;
    for (;;) {
      if (!this.alive) throw new Error(`process ended: ${this.stderr}`);
      if (Date.now() > deadline) throw new Error(`process does not answer: ${this.stderr}`);
      try {
        const client = await GrpcClient.connect(this.url);
        await new EtcdClient(client).range({ key: Buffer.from('x') }).finally(() => client.close());
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  connect(): Promise<GrpcClient> {
    return GrpcClient.connect(this.url);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: number | null; signal: string | null }> {
    this.child.kill(signal);
    return this.exited;
  }

  /** Waits for the end. */
  get ended(): Promise<{ code: number | null; signal: string | null }> {
    return this.exited;
  }
}

export function removeDirectory(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
