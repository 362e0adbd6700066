import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { type FlagDeclarations, parseFlags } from '../../api/flags.ts';
import { pods, serviceAccounts } from '../../api/resources.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { startControlPlane } from '../lib/control-plane.ts';
import { load, quantiles, showLoad, showTimes } from './load.ts';

/**
 * What the API server does in a second, with the store behind it: `node test/bench/api.ts [--in-flight 32]`.
 * The client is of the same machine; it speaks HTTP/1.1 over TLS as plainly as can be, to leave the cores to them.
 */
const flags = {
  'in-flight': { type: 'number', default: 32, help: 'requests at a time' },
  count: { type: 'number', default: 2000, help: 'number of pods' },
  rounds: { type: 'number', default: 3, help: 'times that everything is done; the first warms up' },
} as const satisfies FlagDeclarations;

/** One keep-alive connection with one request at a time. */
class Connection {
  private readonly socket: TLSSocket;
  /** What has come of the response, joined only up to the end of its headers: a list is long. */
  private head: Buffer = Buffer.alloc(0);
  private missing: number | undefined;
  private waiting: { resolve: (size: number) => void; reject: (error: Error) => void } | undefined;

  constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', (error) => this.waiting?.reject(error));
  }

  /** Resolves to the size of the body. */
  request(method: string, path: string, body?: { type: string; content: string }): Promise<number> {
    const content = body
      ? `content-type: ${body.type}\r\ncontent-length: ${Buffer.byteLength(body.content)}\r\n`
      : '';
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(`${method} ${path} HTTP/1.1\r\nhost: bench\r\n${content}\r\n${body?.content ?? ''}`);
    });
  }

  private receive(chunk: Buffer): void {
    if (this.missing === undefined) {
      this.head = Buffer.concat([this.head, chunk]);
      const end = this.head.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.missing = this.bodyLength() - (this.head.length - end - 4);
    } else this.missing -= chunk.length;
    if (this.missing > 0) return;
    const { waiting, head } = this;
    const length = this.bodyLength();
    this.head = Buffer.alloc(0);
    this.missing = undefined;
    this.waiting = undefined;
    if (head.toString('latin1', 0, 10) === 'HTTP/1.1 2') waiting?.resolve(length);
    else waiting?.reject(new Error(head.toString('utf8', 0, 500)));
  }

  private bodyLength(): number {
    const headers = this.head.toString('latin1', 0, 1000);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(headers)?.[1]);
    if (Number.isNaN(length)) throw new Error(`no content-length: ${headers}`);
    return length;
  }

  close(): void {
    this.socket.destroy();
  }
}

const pod = (i: number): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `bench-${i}`, namespace: 'default', labels: { app: 'bench', part: String(i % 10) } },
  spec: {
    containers: [
      {
        name: 'main',
        image: 'registry.example/app:1.2.3',
        env: [{ name: 'A', value: 'one' }],
        resources: { requests: { cpu: '10m', memory: '16Mi' } },
      },
    ],
  },
});

async function main(): Promise<void> {
  const { 'in-flight': inFlight, count, rounds } = parseFlags(flags, process.argv.slice(2));
  const directory = mkdtempSync(join(tmpdir(), 'api-bench-'));
  const plane = await startControlPlane(directory);
  const connections: Connection[] = [];
  try {
    const { server, ca, cert, key } = await loadKubeconfig(plane.kubeconfig);
    const { hostname, port } = new URL(server);
    for (let i = 0; i < inFlight; i++) {
      const socket = connect({ host: hostname, port: Number(port), ca, cert, key, servername: 'kubernetes' });
      await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
      connections.push(new Connection(socket));
    }
    const client = await plane.client();
    // No controller runs here that would make it, and pods need it.
    await client.create(serviceAccounts, { metadata: { name: 'default', namespace: 'default' } });
    const delays: number[] = [];
    const sent = new Map<string, number>();
    const stop = new AbortController();
    const watching = (async () => {
      for await (const events of client.watch(pods, { namespace: 'default' }, stop.signal))
        for (const { type, object } of events) {
          const name = (object as Pod).metadata?.name ?? '';
          const at = type === 'ADDED' ? sent.get(name) : undefined;
          if (at !== undefined) delays.push(performance.now() - at);
        }
    })().catch(() => undefined);
    const each = async (title: string, run: (connection: Connection, i: number) => Promise<number>) =>
      print(
        `${title.padEnd(8)} ${showLoad(await load(count, inFlight, (i, worker) => run(connections[worker]!, i)))}`,
      );
    const collection = '/api/v1/namespaces/default/pods';
    const json = (content: object, type = 'application/json') => ({ type, content: JSON.stringify(content) });
    for (let round = 0; round < rounds; round++) {
      print(`round ${round + 1} of ${rounds}, ${count} pods, ${inFlight} in flight`);
      delays.length = 0;
      await each('create', (connection, i) => {
        sent.set(`bench-${i}`, performance.now());
        return connection.request('POST', collection, json(pod(i)));
      });
      while (delays.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
      print(`watch    from a create's start to its event: ${showTimes(quantiles(delays))}`);
      await each('get', (connection, i) => connection.request('GET', `${collection}/bench-${i}`));
      const list = () => connections[0]!.request('GET', collection);
      print(`list     ${showTimes(await load(10, 1, list))}`);
      const change = json(
        { metadata: { annotations: { round: String(round) } } },
        'application/merge-patch+json',
      );
      await each('patch', (connection, i) => connection.request('PATCH', `${collection}/bench-${i}`, change));
      const now = json({ gracePeriodSeconds: 0 });
      await each('delete', (connection, i) => connection.request('DELETE', `${collection}/bench-${i}`, now));
    }
    stop.abort();
    await watching;
  } finally {
    for (const connection of connections) connection.close();
    await plane.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
process.exit(0);
