import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { PodDialer } from './pod-dialer.ts';

/** What is forwarded where, for messages. */
export interface Forwarded {
  pod: string;
  uid: string;
  port: number;
}

export const forwardingError = ({ pod, uid, port }: Forwarded, error: unknown): string =>
  `error forwarding port ${port} to pod ${pod}, uid ${uid}: ${error instanceof Error ? error.message : String(error)}`;

/**
 * Copies both ways until the pod has ended its side and the client has it all, or either breaks. A client that
 * ends its side first still gets the answer.
 */
function join(client: Duplex, pod: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      pod.destroy();
      resolve();
    };
    client.pipe(pod);
    pod.pipe(client);
    client.once('finish', done).once('close', done).on('error', done);
    pod.on('error', () => client.destroy());
  });
}

/** A checked port number, or undefined. */
export function portNumber(text: string | undefined | null): number | undefined {
  const port = Number(text);
  return text && Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}

/** Connects one client stream to a port of the pod. @returns the error message for the client, if it failed */
export async function forward(
  client: Duplex,
  dialer: PodDialer,
  target: Forwarded,
): Promise<string | undefined> {
  let pod: Socket;
  try {
    pod = await dialer.dial(target.port);
  } catch (error) {
    return forwardingError(target, error);
  }
  await join(client, pod);
  return undefined;
}
