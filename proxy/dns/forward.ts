import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { MessageReader } from './framing.ts';

export interface ForwarderOptions {
  /** Addresses of the servers to ask, best first. */
  servers: () => readonly string[];
  /** Milliseconds to wait for one server. */
  timeout?: number;
  port?: number;
}

/** Questions under way at once; more are turned away, so that a dead server cannot fill the memory. */
const longestPending = 1024;
/** A server that did not answer is asked last for this long, in milliseconds. */
const suspicion = 10_000;

const headerLength = 12;

/**
 * Passes questions on to other servers and their answers back, unread.
 *
 * The same question asked again while it is under way waits for the same answer: this also ends loops, in
 * which a server asked here asks here.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #timeout: number;
  readonly #pending = new Map<string, Promise<Buffer | undefined>>();
  readonly #silent = new Map<string, number>();

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#timeout = options.timeout ?? 2_000;
  }

  /**
   * The answer to `query`, whose header and question end at `questionEnd`, with its id and with the question's
   * case as the client wrote it. Undefined when no server answers in time.
   */
  async forward(query: Buffer, questionEnd: number, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const question = query.subarray(headerLength, questionEnd);
    // Flags and counts belong to what is asked; the id and the case of the name do not.
    const key = [
      transport,
      query.toString('latin1', 2, headerLength),
      question.toString('latin1').toLowerCase(),
      query.toString('latin1', questionEnd),
    ].join('\0');
    let shared = this.#pending.get(key);
    if (!shared) {
      if (this.#pending.size >= longestPending) return undefined;
      shared = this.#ask(query, questionEnd, transport).finally(() => this.#pending.delete(key));
      this.#pending.set(key, shared);
    }
    const answer = await shared;
    if (!answer) return undefined;
    const own = Buffer.from(answer);
    query.copy(own, 0, 0, 2);
    if (own.readUInt16BE(4) === 1 && own.length >= questionEnd) question.copy(own, headerLength);
    return own;
  }

  async #ask(query: Buffer, questionEnd: number, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const servers = this.#options.servers();
    const isSilent = (server: string) => (this.#silent.get(server) ?? 0) > performance.now();
    // Two rounds: a datagram may be lost.
    const order = [...servers.filter((server) => !isSilent(server)), ...servers.filter(isSilent)].slice(0, 3);
    for (const server of order.length > 1 ? order : [...order, ...order]) {
      const asked = Buffer.from(query);
      asked.writeUInt16BE(randomInt(65_536), 0);
      const ask = transport === 'udp' ? askUdp : askTcp;
      const answer = await ask(asked, questionEnd, {
        server,
        port: this.#options.port ?? 53,
        // Where no server can be reached, clients learn so sooner.
        timeout: isSilent(server) ? this.#timeout / 2 : this.#timeout,
      });
      if (answer) {
        this.#silent.delete(server);
        return answer;
      }
      this.#silent.set(server, performance.now() + suspicion);
    }
    return undefined;
  }
}

interface Target {
  server: string;
  port: number;
  timeout: number;
}

/** Whether a message answers this query: same id, same question. */
function answers(message: Buffer, query: Buffer, questionEnd: number): boolean {
  if (message.length < headerLength || message.readUInt16BE(0) !== query.readUInt16BE(0)) return false;
  if (!(message.readUInt16BE(2) & 0x8000)) return false;
  // Servers that cannot read a question may leave it out.
  if (message.readUInt16BE(4) === 0) return true;
  const of = (buffer: Buffer) => buffer.toString('latin1', headerLength, questionEnd).toLowerCase();
  return of(message) === of(query);
}

/** A socket of its own for each question: its random port is what an attacker must guess (RFC 5452). */
function askUdp(query: Buffer, questionEnd: number, target: Target): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(target.server) ? 'udp6' : 'udp4');
    const finish = (answer: Buffer | undefined) => {
      if (!timer) return;
      clearTimeout(timer);
      timer = undefined;
      socket.close();
      resolve(answer);
    };
    let timer: NodeJS.Timeout | undefined = setTimeout(() => finish(undefined), target.timeout);
    socket.on('error', () => finish(undefined));
    socket.on('message', (message) => {
      if (answers(message, query, questionEnd)) finish(message);
    });
    socket.connect(target.port, target.server, (...args: unknown[]) => {
      if (args[0]) finish(undefined);
      else if (timer) socket.send(query, (error) => error && finish(undefined));
    });
  });
}

function askTcp(query: Buffer, questionEnd: number, target: Target): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: target.server, port: target.port });
    const reader = new MessageReader();
    const finish = (answer: Buffer | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(undefined), target.timeout);
    socket.on('error', () => finish(undefined));
    socket.on('close', () => finish(undefined));
    socket.on('data', (chunk) => {
      for (const message of reader.read(chunk)) if (answers(message, query, questionEnd)) finish(message);
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    socket.write(Buffer.concat([length, query]));
  });
}
