import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { MessageReader } from './framing.ts';

export type Respond = (message: Buffer, transport: 'udp' | 'tcp') => Promise<Buffer | undefined>;

export interface DnsServerOptions {
  address: string;
  port: number;
  respond: Respond;
}

/** TCP clients at once; more are closed at once. */
const mostClients = 256;
/** Questions of one TCP client under way at once: then it is not read until some are answered. */
const mostQuestions = 64;
/** Milliseconds after which a silent TCP client is closed. */
const idleTimeout = 10_000;

/** Answers DNS messages over UDP and TCP on one address. */
export class DnsServer {
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #clients = new Set<Socket>();
  readonly port: number;

  private constructor(udp: UdpSocket, tcp: Server) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.port = udp.address().port;
  }

  /** @throws the socket's error, such as EADDRINUSE */
  static async listen(options: DnsServerOptions): Promise<DnsServer> {
    const { address, respond } = options;
    const tcp = createServer();
    await new Promise<void>((resolve, reject) => {
      tcp.once('error', reject);
      tcp.listen({ host: address, port: options.port }, () => {
        tcp.off('error', reject);
        resolve();
      });
    });
    const bound = tcp.address();
    const port = typeof bound === 'object' && bound ? bound.port : options.port;
    const udp = createSocket('udp4');
    try {
      await new Promise<void>((resolve, reject) => {
        udp.once('error', reject);
        udp.bind({ address, port, exclusive: true }, () => {
          udp.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      tcp.close();
      udp.close();
      throw error;
    }
    const server = new DnsServer(udp, tcp);
    // Errors of single datagrams: the client asks again.
    udp.on('error', () => undefined);
    udp.on('message', (message, client) => {
      void respond(message, 'udp').then((answer) => {
        if (answer && !server.#closed) udp.send(answer, client.port, client.address, () => undefined);
      });
    });
    tcp.on('connection', (socket) => server.#serve(socket, respond));
    return server;
  }

  #closed = false;

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#udp.close();
    this.#tcp.close();
    for (const client of this.#clients) client.destroy();
  }

  #serve(socket: Socket, respond: Respond): void {
    if (this.#clients.size >= mostClients) {
      socket.destroy();
      return;
    }
    this.#clients.add(socket);
    const reader = new MessageReader();
    let underWay = 0;
    let ended = false;
    socket.on('close', () => this.#clients.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(idleTimeout, () => socket.destroy());
    socket.on('end', () => {
      ended = true;
    });
    socket.on('data', (chunk) => {
      for (const message of reader.read(chunk)) {
        if (++underWay >= mostQuestions) socket.pause();
        void respond(message, 'tcp').then((answer) => {
          if (--underWay < mostQuestions) socket.resume();
          // What cannot be a query at all ends the connection.
          if (!answer) socket.destroy();
          if (!answer || !socket.writable) return;
          const length = Buffer.alloc(2);
          length.writeUInt16BE(answer.length);
          socket.write(Buffer.concat([length, answer]));
          if (ended && !underWay) socket.end();
        });
      }
    });
  }
}
