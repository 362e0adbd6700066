import { Readable, Writable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { type RemoteOptions, type RemoteSession, ResizeRelay, type TerminalSize } from './remote-session.ts';
import type { RemoteStatus } from './status.ts';

/** First byte of each message. */
const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** Versions of the protocol, the newest first: v5 can half-close stdin, v4 tells the status as JSON. */
export const remoteCommandProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'channel.k8s.io'];

/** While reading stands still, the client's going away shows only when we write. */
const pingWhileBlockedMs = 10_000;

/**
 * Exec and attach over WebSocket: every message is a channel number and its bytes.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/ and k8s.io/apimachinery remotecommand constants
 */
export class WebSocketSession implements RemoteSession {
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  readonly #socket: WebSocket;
  readonly #protocol: string;
  readonly #resize = new ResizeRelay();
  readonly #gone = new AbortController();

  /** `protocol` is the version agreed upon, empty for none. */
  constructor(socket: WebSocket, options: RemoteOptions, protocol: string) {
    this.#socket = socket;
    this.#protocol = protocol;
    if (options.stdin) this.stdin = this.#input();
    if (options.stdout) this.stdout = this.#output(channel.stdout);
    if (options.stderr && !options.tty) this.stderr = this.#output(channel.stderr);
    socket.on('message', (message) => this.#receive(message));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#gone.abort(new Error('the client closed the connection'));
      this.stdin?.destroy();
    });
    // An empty message says that the connection stands.
    const first = options.stdout ? channel.stdout : options.stderr ? channel.stderr : channel.error;
    socket.send(Buffer.from([first]));
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  onResize(callback: (size: TerminalSize) => void): void {
    this.#resize.listen(callback);
  }

  finish(status: RemoteStatus): void {
    // The protocol without a version has bare text instead, and nothing for success.
    const text = this.#protocol.startsWith('v') ? JSON.stringify(status) : (status.message ?? '');
    if (text) this.#socket.send(Buffer.concat([Buffer.from([channel.error]), Buffer.from(text)]));
    this.#socket.close(1000);
  }

  #receive(message: RawData): void {
    const bytes = message as Buffer;
    const payload = bytes.subarray(1);
    if (bytes[0] === channel.resize) this.#resize.receive(payload.toString());
    else if (bytes[0] === channel.close && payload[0] === channel.stdin) this.stdin?.push(null);
    else if (bytes[0] === channel.stdin && payload.length > 0 && this.stdin?.push(payload) === false)
      this.#pause();
  }

  #pause(): void {
    if (this.#socket.isPaused) return;
    this.#socket.pause();
    const timer = setInterval(() => this.#socket.ping(), pingWhileBlockedMs);
    const stop = () => {
      clearInterval(timer);
      this.#socket.resume();
    };
    this.#resume = stop;
    this.#socket.once('close', stop);
  }
  #resume: (() => void) | undefined;

  #input(): Readable {
    return new Readable({
      read: () => {
        this.#resume?.();
        this.#resume = undefined;
      },
    }).on('error', () => undefined);
  }

  #output(number: number): Writable {
    const prefix = Buffer.from([number]);
    const output = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (this.#socket.readyState !== this.#socket.OPEN)
          done(new Error('the client closed the connection'));
        else this.#socket.send(Buffer.concat([prefix, chunk]), done);
      },
    });
    return output.on('error', () => undefined);
  }
}
