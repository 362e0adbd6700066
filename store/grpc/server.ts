import type { Duplex } from 'node:stream';
import { Http2Connection } from '../http2/connection.ts';
import { encodeHeaders } from '../http2/hpack.ts';
import type { Http2Stream } from '../http2/stream.ts';
import { Call, refuse } from './call.ts';
import type { Method, Service } from './service.ts';
import { Code, GrpcError } from './status.ts';

export interface GrpcServerOptions {
  services: readonly Service[];
  /** Largest request message in bytes. */
  maxMessageSize: number;
  /** Told of every finished call with its path, for metrics. Unknown methods have the path ''. */
  onCall?(path: string, code: Code, seconds: number): void;
  onFault(error: unknown, path: string): void;
}

/** Routes the calls of HTTP/2 connections to services. Knows nothing of sockets and TLS. */
export class GrpcServer {
  private readonly options: GrpcServerOptions;
  private readonly methods = new Map<string, Method>();
  private readonly services = new Set<string>();
  private readonly connections = new Set<Http2Connection>();
  private whenEmpty: (() => void) | undefined;

  constructor(options: GrpcServerOptions) {
    this.options = options;
    for (const { name, methods } of options.services) {
      this.services.add(name);
      for (const [method, definition] of Object.entries(methods))
        this.methods.set(`/${name}/${method}`, definition);
    }
  }

  /** Takes a connection over for its life. */
  serve(socket: Duplex): void {
    const connection = new Http2Connection(socket, {
      onStream: (stream) => this.accept(stream),
      onClose: () => {
        this.connections.delete(connection);
        if (this.connections.size === 0) this.whenEmpty?.();
      },
    });
    this.connections.add(connection);
  }

  /** Tells clients to go away, and cuts those off that have not gone after `grace` ms. */
  async close(grace: number): Promise<void> {
    if (this.connections.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.whenEmpty = resolve;
    });
    for (const connection of [...this.connections]) connection.shutDown();
    const cutOff = setTimeout(() => {
      for (const connection of [...this.connections]) connection.destroy();
    }, grace);
    await empty;
    clearTimeout(cutOff);
  }

  private accept(stream: Http2Stream): void {
    const { headers } = stream;
    const path = headers[':path'] ?? '';
    if (headers[':method'] !== 'POST' || !headers['content-type']?.startsWith('application/grpc')) {
      const status = headers[':method'] === 'POST' ? '415' : '405';
      stream.respond(encodeHeaders([[':status', status]]), true);
      return;
    }
    const method = this.methods.get(path);
    const { onCall } = this.options;
    if (!method) {
      const [, service = '', name = ''] = path.split('/');
      const message = this.services.has(service)
        ? `unknown method ${name} for service ${service}`
        : `unknown service ${service}`;
      refuse(stream, new GrpcError(Code.unimplemented, message));
      onCall?.('', Code.unimplemented, 0);
      return;
    }
    const start = performance.now();
    new Call(stream, method, {
      maxMessageSize: this.options.maxMessageSize,
      onFinished: (code) => onCall?.(path, code, (performance.now() - start) / 1000),
      onFault: (error) => this.options.onFault(error, path),
    });
  }
}
