import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { forward } from './forward.ts';
import type { PodDialer } from './pod-dialer.ts';

/** The protocol of clients that forward without SPDY, as `@kubernetes/client-node`. */
export const channelProtocol = 'v4.channel.k8s.io';

/**
 * Serves port forwarding over plain WebSocket channels: port number `i` of the request has channel `2i` for data
 * and `2i + 1` for an error; the first message of each is the port, two bytes, little-endian. One connection a
 * port. Resolves when the WebSocket is closed.
 */
export function serveChannelPortForward(
  socket: WebSocket,
  dialer: PodDialer,
  target: { pod: string; uid: string },
  ports: readonly number[],
): Promise<void> {
  const send = (channel: number, payload: Uint8Array, done?: (error?: Error) => void) =>
    socket.send(Buffer.concat([Buffer.from([channel]), payload]), done);

  const streams = ports.map((port, i) => {
    const number = Buffer.alloc(2);
    number.writeUInt16LE(port);
    send(2 * i, number);
    send(2 * i + 1, number);
    const stream = new Duplex({
      read: () => socket.resume(),
      write: (chunk: Buffer, _encoding, done) => send(2 * i, chunk, done),
    });
    stream.on('error', () => undefined);
    void forward(stream, dialer, { ...target, port }).then((failure) => {
      if (failure) send(2 * i + 1, Buffer.from(failure));
      stream.destroy();
      if (streams.every(({ destroyed }) => destroyed)) socket.close(1000);
    });
    return stream;
  });

  socket.on('message', (message: Buffer) => {
    const stream = streams[message[0]! / 2];
    if (stream && !stream.destroyed && message.length > 1 && !stream.push(message.subarray(1)))
      socket.pause();
  });
  socket.on('error', () => undefined);
  return new Promise((resolve) => {
    socket.on('close', () => {
      for (const stream of streams) stream.destroy();
      resolve();
    });
  });
}
