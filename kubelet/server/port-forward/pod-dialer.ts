import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where a pod's ports are. */
export interface PodNetworkLocation {
  /** The pod's address; 127.0.0.1 with the host's network. */
  ip: string;
  /** A process in the pod's network namespace; 0 with the host's network. */
  pid: number;
}

const relayProgram = fileURLToPath(new URL('relay-main.ts', import.meta.url));
const connectTimeoutMs = 10_000;

async function connected(socket: Socket): Promise<Socket> {
  socket.setTimeout(connectTimeoutMs, () => socket.destroy(new Error('connection timed out')));
  await once(socket, 'connect');
  socket.setTimeout(0);
  return socket;
}

const isRefused = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';

/**
 * Connects to ports of one pod. What listens on the pod's own address is reached directly; for what listens on
 * the pod's loopback only, a helper process is started in the pod's network namespace, once and only then.
 */
export class PodDialer {
  readonly #location: PodNetworkLocation;
  #relay: Promise<{ path: string; directory: string; child: ChildProcess }> | undefined;
  #closed = false;

  constructor(location: PodNetworkLocation) {
    this.#location = location;
  }

  /** @throws {Error} if nothing listens on the port */
  async dial(port: number): Promise<Socket> {
    const { ip, pid } = this.#location;
    try {
      return await connected(connect({ host: ip, port, allowHalfOpen: true }));
    } catch (error) {
      if (!isRefused(error) || pid === 0 || this.#closed) throw error;
      return this.#dialLoopback(port);
    }
  }

  /** Ends the helper; connections through it break. */
  async close(): Promise<void> {
    this.#closed = true;
    const relay = await this.#relay?.catch(() => undefined);
    relay?.child.kill('SIGKILL');
    if (relay) await rm(relay.directory, { recursive: true, force: true });
  }

  async #dialLoopback(port: number): Promise<Socket> {
    this.#relay ??= this.#startRelay();
    const { path } = await this.#relay;
    const socket = await connected(connect({ path, allowHalfOpen: true }));
    socket.write(`${port}\n`);
    let answer = '';
    while (!answer.endsWith('\n')) {
      const byte: Buffer | null = socket.read(1);
      if (byte) answer += byte.toString('latin1');
      else if (socket.readableEnded || socket.destroyed) throw new Error('the relay in the pod went away');
      else await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
    }
    if (answer === 'ok\n') return socket;
    socket.destroy();
    throw new Error(answer.trim());
  }

  async #startRelay() {
    const directory = await mkdtemp(join(tmpdir(), 'nekalakube-relay-'));
    const path = join(directory, 'socket');
    const child = spawn(
      'nsenter',
      [`--net=/proc/${this.#location.pid}/ns/net`, process.execPath, relayProgram, path],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const ready = Promise.withResolvers<void>();
    child.stdout.once('data', () => ready.resolve());
    child.once('error', (error) => ready.reject(error));
    child.once('exit', () => {
      this.#relay = undefined;
      ready.reject(new Error('cannot enter the network namespace of the pod'));
    });
    try {
      await ready.promise;
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
    return { path, directory, child };
  }
}
