import type { Duplex } from 'node:stream';
import { SpdyConnection } from '../spdy/connection.ts';
import type { SpdyStream } from '../spdy/stream.ts';
import { forward, portNumber } from './forward.ts';
import type { PodDialer } from './pod-dialer.ts';

/** Of the streams inside; over WebSocket the tunnel's own name has this behind it. */
export const portForwardProtocol = 'portforward.k8s.io';
export const tunnelProtocol = `SPDY/3.1+${portForwardProtocol}`;

const pairTimeoutMs = 30_000;

interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
  timer: NodeJS.Timeout;
}

/**
 * Serves `kubectl port-forward` over SPDY: for each connection the client opens an error and a data stream with
 * the same `requestID`. Resolves when the connection is over.
 */
export function serveSpdyPortForward(
  socket: Duplex,
  dialer: PodDialer,
  target: { pod: string; uid: string },
): Promise<void> {
  const pairs = new Map<string, Pair>();

  const start = async (port: number, data: SpdyStream, error: SpdyStream) => {
    error.resume();
    const failure = await forward(data, dialer, { ...target, port });
    if (failure) {
      error.end(failure);
      data.end();
      data.resume();
    } else error.end();
  };

  const onStream = (stream: SpdyStream) => {
    const { streamtype, port, requestid } = stream.headers;
    const number = portNumber(port);
    if (number === undefined || (streamtype !== 'data' && streamtype !== 'error')) {
      stream.destroy();
      return;
    }
    // The first clients sent no requestID: an error stream is followed by its data stream.
    const id = requestid ?? String(streamtype === 'error' ? stream.id : stream.id - 2);
    let pair = pairs.get(id);
    if (!pair) {
      const late = () => {
        pairs.delete(id);
        stream.end('timed out waiting for the other stream of the pair');
      };
      pair = { timer: setTimeout(late, pairTimeoutMs) };
      pairs.set(id, pair);
    }
    pair[streamtype] = stream;
    if (!pair.data || !pair.error) return;
    clearTimeout(pair.timer);
    pairs.delete(id);
    void start(number, pair.data, pair.error);
  };

  const { promise, resolve } = Promise.withResolvers<void>();
  const { closed } = new SpdyConnection(socket, onStream);
  closed.addEventListener('abort', () => {
    for (const { timer } of pairs.values()) clearTimeout(timer);
    resolve();
  });
  return promise;
}
