import type { Duplex, Readable, Writable } from 'node:stream';
import { SpdyConnection } from '../spdy/connection.ts';
import type { SpdyStream } from '../spdy/stream.ts';
import { type RemoteOptions, type RemoteSession, ResizeRelay, type TerminalSize } from './remote-session.ts';
import type { RemoteStatus } from './status.ts';

/** Versions over SPDY, the newest first: v4 tells the status as JSON, from v3 on terminals are resized. */
export const spdyCommandProtocols = [
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
] as const;

const streamCreationTimeoutMs = 30_000;

type StreamType = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize';

function wantedStreams(options: RemoteOptions, protocol: string): StreamType[] {
  const resizable = protocol.startsWith('v4') || protocol.startsWith('v3');
  return [
    'error',
    ...(options.stdin ? (['stdin'] as const) : []),
    ...(options.stdout ? (['stdout'] as const) : []),
    ...(options.stderr && !options.tty ? (['stderr'] as const) : []),
    ...(options.tty && resizable ? (['resize'] as const) : []),
  ];
}

/** Exec and attach over SPDY: a stream for each of stdin, stdout, stderr, resizes and the status. */
export class SpdySession implements RemoteSession {
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  readonly #connection: SpdyConnection;
  readonly #error: SpdyStream;
  readonly #protocol: string;
  readonly #resize = new ResizeRelay();

  private constructor(connection: SpdyConnection, streams: Map<string, SpdyStream>, protocol: string) {
    this.#connection = connection;
    this.#protocol = protocol;
    this.#error = streams.get('error')!;
    this.#error.resume();
    this.stdin = streams.get('stdin');
    this.stdout = streams.get('stdout')?.resume();
    this.stderr = streams.get('stderr')?.resume();
    let pending = '';
    streams.get('resize')?.on('data', (chunk: Buffer) => {
      pending += chunk.toString();
      const documents = pending.split('}');
      pending = documents.pop()!.slice(0, 1024);
      for (const document of documents) this.#resize.receive(`${document}}`);
    });
  }

  /**
   * Waits until the client has opened the streams that it asked for.
   * @throws {Error} if it does not within 30 seconds, or goes away
   */
  static async accept(socket: Duplex, options: RemoteOptions, protocol: string): Promise<SpdySession> {
    const streams = new Map<string, SpdyStream>();
    const wanted = wantedStreams(options, protocol);
    const ready = Promise.withResolvers<void>();
    const connection = new SpdyConnection(socket, (stream) => {
      const type = stream.headers.streamtype ?? '';
      if (!(wanted as string[]).includes(type) || streams.has(type)) {
        stream.destroy();
        return;
      }
      streams.set(type, stream);
      if (streams.size === wanted.length) ready.resolve();
    });
    const late = () => ready.reject(new Error('timed out waiting for client to create streams'));
    const timer = setTimeout(late, streamCreationTimeoutMs);
    connection.closed.addEventListener('abort', () =>
      ready.reject(new Error('the client closed the connection')),
    );
    try {
      await ready.promise;
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return new SpdySession(connection, streams, protocol);
  }

  get gone(): AbortSignal {
    return this.#connection.closed;
  }

  onResize(callback: (size: TerminalSize) => void): void {
    this.#resize.listen(callback);
  }

  finish(status: RemoteStatus): void {
    const text = this.#protocol.startsWith('v4') ? JSON.stringify(status) : (status.message ?? '');
    if (text) this.#error.write(text);
    const ended = [this.stdout, this.stderr, this.#error].map(
      (stream) =>
        new Promise<void>((resolve) => {
          if (!stream?.writable) return resolve();
          stream.once('close', resolve);
          stream.end(() => resolve());
        }),
    );
    void Promise.all(ended).then(() => this.#connection.close());
  }
}
