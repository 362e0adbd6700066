import { readFileSync } from 'node:fs';
import type { Server as HttpServer, RequestListener } from 'node:http';
import { type AddressInfo, createServer as createNetServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import type { GrpcServer } from './server.ts';

export interface TlsFiles {
  cert: string;
  key: string;
  /** Bundle that client certificates must be signed by; without it none is asked for. */
  clientCa?: string | undefined;
}

export interface ListenOptions {
  url: string;
  tls?: TlsFiles | undefined;
  grpc: GrpcServer;
  /** Answers HTTP/1.1 on the same port. */
  http: RequestListener;
}

/**
 * Not through `import`: an ES module import of node:http reads every export, among them `WebSocket`, whose getter
 * loads all of undici and 10 MiB with it (Node 24).
 */
const { createServer: createHttpServer } = process.getBuiltinModule('node:http');
const http2Preface = 'PRI * HTTP/2';

/** An open port that speaks gRPC and HTTP/1.1, over TLS or in the clear. */
export class Listener {
  private readonly server: Server;
  private readonly http: HttpServer;
  private readonly sockets = new Set<Socket>();

  private constructor(server: Server, http: HttpServer) {
    this.server = server;
    this.http = http;
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  /** @throws {Error} for an address in use, an unreadable certificate, or an https URL without TLS files. */
  static async open({ url, tls, grpc, http }: ListenOptions): Promise<Listener> {
    const { protocol, hostname, port } = new URL(url);
    const httpServer = createHttpServer({ keepAliveTimeout: 60_000 }, http);
    const serve = (socket: Duplex, isHttp2: boolean) => {
      socket.on('error', () => socket.destroy());
      if (isHttp2) grpc.serve(socket);
      else httpServer.emit('connection', socket);
    };
    if (protocol === 'https:' && !tls) throw new Error(`${url}: https needs --cert-file and --key-file`);
    const server =
      protocol === 'https:' && tls
        ? createTlsServer(
            {
              cert: readFileSync(tls.cert),
              key: readFileSync(tls.key),
              ca: tls.clientCa ? readFileSync(tls.clientCa) : undefined,
              requestCert: tls.clientCa !== undefined,
              rejectUnauthorized: tls.clientCa !== undefined,
              ALPNProtocols: ['h2', 'http/1.1'],
              minVersion: 'TLSv1.2',
            },
            (socket) => {
              socket.setNoDelay(true);
              serve(socket, socket.alpnProtocol === 'h2');
            },
          )
        : createNetServer({ noDelay: true }, (socket) => {
            socket.once('error', () => socket.destroy());
            sniff(socket, (isHttp2) => serve(socket, isHttp2));
          });
    server.on('tlsClientError', (_error, socket: Socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(Number(port), hostname.replace(/^\[|\]$/g, ''), resolve);
    });
    return new Listener(server, httpServer);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Stops accepting. */
  stop(): void {
    this.server.close();
    this.http.close();
    this.http.closeAllConnections();
  }

  /** Cuts every connection. */
  destroy(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

/** In the clear the first bytes tell HTTP/2 from HTTP/1.1. */
function sniff(socket: Socket, then: (isHttp2: boolean) => void): void {
  socket.once('readable', () => {
    const first: Buffer | null = socket.read();
    if (!first) {
      if (socket.destroyed || socket.readableEnded) return;
      sniff(socket, then);
      return;
    }
    socket.unshift(first);
    const start = first.toString('latin1', 0, http2Preface.length);
    then(http2Preface.startsWith(start));
  });
}
