import { createHash } from 'node:crypto';
import { Duplex } from 'node:stream';

/** The answer to a key. RFC 6455, 4.2.2. */
export const acceptOf = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/**
 * The client's end of a WebSocket as a stream of bytes, without the checks of subprotocol names that libraries
 * make. It sends binary messages with a mask of zeros. RFC 6455, 5.2.
 */
export function rawWebSocket(socket: Duplex): Duplex {
  let pending: Buffer = Buffer.alloc(0);
  const stream = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      const header = Buffer.alloc(14);
      header[0] = 0x82;
      header[1] = 0x80 | 127;
      header.writeBigUInt64BE(BigInt(chunk.length), 2);
      socket.write(Buffer.concat([header, chunk]), done);
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const short = (pending[1] ?? 0) & 0x7f;
      const headerLength = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (pending.length < headerLength) return;
      const length =
        short === 126 ? pending.readUInt16BE(2) : short === 127 ? Number(pending.readBigUInt64BE(2)) : short;
      if (pending.length < headerLength + length) return;
      const binary = (pending[0]! & 0x0f) <= 2;
      if (binary && length) stream.push(pending.subarray(headerLength, headerLength + length));
      pending = pending.subarray(headerLength + length);
    }
  });
  socket.on('close', () => stream.push(null));
  return stream;
}
