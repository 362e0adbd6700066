import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import Docker, { type ContainerCreateOptions } from 'dockerode';
import type { Test } from 'tap';
import WebSocket from 'ws';
import type { Pod } from '../../../api/types/core-v1.ts';
import { busyboxImage, makeBusyboxImage } from '../../../test/lib/images.ts';
import { DockerRuntime } from '../../runtime/docker-runtime.ts';
import type { PodLookup, RuntimeContainer, RuntimeSandbox } from '../../runtime/types.ts';
import { serveKubelet } from '../kubelet-server.ts';
import { type KeyPair, testAuthority } from './certificates.ts';
import { acceptOf, rawWebSocket } from './raw-websocket.ts';
import { SpdyTestClient } from './spdy-test-client.ts';

const docker = new Docker({ socketPath: '/var/run/docker.sock' });

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * The kubelet's server with one pod `default/web`, of which only the lookups are made up: its containers are
 * real, and all of it is gone after the test.
 */
export async function testServer(t: Test) {
  await makeBusyboxImage();
  const authority = await testAuthority();
  const client = await authority.issue('CN=kube-apiserver-kubelet-client,O=kubeadm:cluster-admins');
  const containers: RuntimeContainer[] = [];
  let sandbox: RuntimeSandbox | undefined;
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', uid: 'uid-1' },
    spec: { containers: [{ name: 'main' }, { name: 'side' }] },
    status: {},
  };
  const lookup: PodLookup = {
    pods: () => [pod],
    pod: (namespace, name) => (namespace === 'default' && name === 'web' ? pod : undefined),
    runtimeState: () => undefined,
    container: (_pod, name, options) =>
      containers.filter((one) => one.name === name)[options?.previous ? 1 : 0],
    sandbox: () => sandbox,
    podDirectory: () => '/nonexistent',
  };
  const runtime = new DockerRuntime({
    docker,
    owner: { cluster: 'none', node: 'none' },
    networkName: () => 'none',
    nodeMemoryBytes: 2 ** 30,
  });
  const server = await serveKubelet({
    lookup,
    runtime,
    log: silent,
    address: '127.0.0.1',
    port: 0,
    tls: { ...(await authority.issue('CN=kubelet')), clientCA: authority.ca },
    reports: {
      metrics: () => 'up 1\n',
      resourceMetrics: async () => '',
      cadvisorMetrics: async () => '',
      summary: async () => ({}),
    },
  });
  t.teardown(() => server.close());
  const base = { host: '127.0.0.1', port: server.port, ca: authority.ca, agent: false as const };

  /** Starts a container of the pod; it becomes the newest of its name. */
  async function run(script: string, options: ContainerCreateOptions = {}, name = 'main') {
    const container = await docker.createContainer({
      Image: busyboxImage,
      Cmd: ['sh', '-c', script],
      ...options,
      HostConfig: { NetworkMode: 'none', ...options.HostConfig },
    });
    t.teardown(() => container.remove({ force: true }).catch(() => undefined));
    await container.start();
    const known: RuntimeContainer = {
      id: container.id,
      name,
      attempt: 0,
      state: 'running',
      image: busyboxImage,
      imageID: '',
      hash: '',
      sandboxID: '',
      createdAt: '',
    };
    containers.unshift(known);
    return {
      container,
      known,
      /** Resolves when it has exited, and is known to have. */
      exited: async () => {
        await container.wait();
        known.state = 'exited';
      },
    };
  }

  async function get(
    path: string,
    keys: Partial<KeyPair> = client,
    method = 'GET',
    headers: Record<string, string> = {},
  ) {
    const request = httpsRequest({ ...base, ...keys, path, method, headers }).end();
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject);
    });
    return { code: response.statusCode, response, text: () => text(response) };
  }

  /** Opens a WebSocket; a refusal rejects with code and body. */
  async function webSocket(path: string, protocols: string[]): Promise<WebSocket> {
    const socket = new WebSocket(`wss://127.0.0.1:${server.port}${path}`, protocols, { ...base, ...client });
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve).once('error', reject);
      socket.once('unexpected-response', async (_request, response) => {
        reject(new Error(`${response.statusCode} ${await text(response)}`));
      });
    });
    t.teardown(() => socket.terminate());
    return socket;
  }

  /** Opens a WebSocket of a subprotocol that `ws` would not take, as a stream of the bytes in its messages. */
  async function tunnel(path: string, protocol: string): Promise<Duplex> {
    const key = 'AAAAAAAAAAAAAAAAAAAAAA==';
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': key,
      'sec-websocket-protocol': protocol,
    };
    const request = httpsRequest({ ...base, ...client, path, headers }).end();
    return new Promise((resolve, reject) => {
      request.once('error', reject);
      request.once('upgrade', (response, socket: Duplex, head) => {
        t.teardown(() => socket.destroy());
        t.equal(response.headers['sec-websocket-accept'], acceptOf(key));
        t.equal(response.headers['sec-websocket-protocol'], protocol);
        if (head.length) socket.unshift(head);
        resolve(rawWebSocket(socket));
      });
    });
  }

  /** Upgrades to SPDY; a refusal rejects with code and body. */
  async function spdy(
    path: string,
    versions: string[],
  ): Promise<{ client: SpdyTestClient; version?: string }> {
    const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': versions };
    const request = httpsRequest({ ...base, ...client, path, method: 'POST', headers }).end();
    return new Promise((resolve, reject) => {
      request.once('error', reject);
      request.once('response', async (response) => {
        reject(new Error(`${response.statusCode} ${await text(response)}`));
      });
      request.once('upgrade', (response, socket: Duplex, head) => {
        if (head.length) socket.unshift(head);
        t.teardown(() => socket.destroy());
        resolve({
          client: new SpdyTestClient(socket),
          version: [response.headers['x-stream-protocol-version']].flat()[0],
        });
      });
    });
  }

  return {
    docker,
    authority,
    pod,
    run,
    get,
    webSocket,
    tunnel,
    spdy,
    setSandbox: (value: RuntimeSandbox) => {
      sandbox = value;
    },
  };
}

/** Collects the channels of a remote command over WebSocket until the server closes it. */
export function collect(socket: WebSocket): {
  until(channel: number, part: string): Promise<void>;
  end: Promise<string[]>;
} {
  const channels: string[] = [];
  let look = () => {};
  socket.on('message', (message: Buffer) => {
    const channel = message[0]!;
    channels[channel] = (channels[channel] ?? '') + message.toString('latin1', 1);
    look();
  });
  const end = new Promise<string[]>((resolve) => socket.once('close', () => resolve(channels)));
  return {
    end,
    until: (channel, part) =>
      new Promise((resolve) => {
        look = () => {
          if (channels[channel]?.includes(part)) resolve();
        };
        look();
      }),
  };
}
