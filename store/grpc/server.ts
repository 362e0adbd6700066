import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { Call } from './call.ts';
import type { Method, Service } from './service.ts';
import { Code, encodeMessage } from './status.ts';

export interface GrpcServerOptions {
  services: readonly Service[];
  /** Largest request message in bytes. */
  maxMessageSize: number;
  /** Told of every finished call with its path, for metrics. Unknown methods have the path ''. */
  onCall?(path: string, code: Code, seconds: number): void;
  onFault(error: unknown, path: string): void;
}

const windowSize = 8 * 1024 * 1024;

/** Settings of the HTTP/2 sessions handed to {@link GrpcServer.serve}. */
export const sessionSettings = {
  settings: {
    initialWindowSize: windowSize,
    maxConcurrentStreams: 100_000,
    maxFrameSize: 64 * 1024,
    enablePush: false,
  },
  // A client may open and cancel many watches quickly; etcd sets no limit either.
  maxSessionRejectedStreams: 1_000_000,
  maxSessionInvalidFrames: 1000,
  maxSessionMemory: 1000,
  strictSingleValueFields: false,
};

/** Routes the calls of HTTP/2 sessions to services. Knows nothing of sockets and TLS. */
export class GrpcServer {
  private readonly options: GrpcServerOptions;
  private readonly methods = new Map<string, Method>();
  private readonly services = new Set<string>();
  private readonly sessions = new Set<ServerHttp2Session>();

  constructor(options: GrpcServerOptions) {
    this.options = options;
    for (const { name, methods } of options.services) {
      this.services.add(name);
      for (const [method, definition] of Object.entries(methods))
        this.methods.set(`/${name}/${method}`, definition);
    }
  }

  /** Takes a session over for its life. */
  serve(session: ServerHttp2Session): void {
    this.sessions.add(session);
    session.on('close', () => this.sessions.delete(session));
    session.on('error', () => session.destroy());
    session.setLocalWindowSize(windowSize * 8);
    session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) =>
      this.accept(stream, headers),
    );
  }

  /** Tells clients to go away, and cuts those off that have not gone after `grace` ms. */
  async close(grace: number): Promise<void> {
    const closed = [...this.sessions].map(
      (session) =>
        new Promise<void>((resolve) => {
          if (session.closed) resolve();
          else session.close(() => resolve());
        }),
    );
    const cutOff = setTimeout(() => {
      for (const session of this.sessions) session.destroy();
    }, grace);
    await Promise.all(closed);
    clearTimeout(cutOff);
  }

  private accept(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const type = headers['content-type'];
    if (headers[':method'] !== 'POST' || !type?.startsWith('application/grpc')) {
      stream.on('error', () => stream.destroy());
      stream.respond({ ':status': headers[':method'] === 'POST' ? 415 : 405 }, { endStream: true });
      return;
    }
    const path = headers[':path'] ?? '';
    const method = this.methods.get(path);
    const { onCall } = this.options;
    if (!method) {
      stream.on('error', () => stream.destroy());
      const [, service = '', name = ''] = path.split('/');
      const message = this.services.has(service)
        ? `unknown method ${name} for service ${service}`
        : `unknown service ${service}`;
      stream.respond(
        {
          ':status': 200,
          'content-type': 'application/grpc',
          'grpc-status': String(Code.unimplemented),
          'grpc-message': encodeMessage(message),
        },
        { endStream: true },
      );
      stream.close();
      onCall?.('', Code.unimplemented, 0);
      return;
    }
    const start = performance.now();
    new Call(stream, headers, method, {
      maxMessageSize: this.options.maxMessageSize,
      onFinished: (code) => onCall?.(path, code, (performance.now() - start) / 1000),
      onFault: (error) => this.options.onFault(error, path),
    });
  }
}
