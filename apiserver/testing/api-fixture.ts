import { generateKeyPairSync } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { pino } from 'pino';
import { parseFlags } from '../../api/flags.ts';
import { issue } from '../../deploy/pki/issue.ts';
import { freePort, StoreProcess, temporaryDirectory } from '../../store/testing/process.ts';
import { startApiServer } from '../apiserver.ts';
import { flags } from '../flags.ts';

export interface ApiAnswer<T = Record<string, unknown>> {
  code: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** The body as JSON. */
  body: T;
}

export interface ApiCall {
  method?: string;
  path: string;
  body?: unknown;
  contentType?: string;
  headers?: Record<string, string>;
  /** Whose certificate is shown: a name of {@link ApiFixture.identity}; null for none. */
  as?: string | null;
}

/** A real API server in this process on a real etcd, over TLS. Close it with `stop`. */
export interface ApiFixture {
  port: number;
  storeURL: string;
  store: StoreProcess;
  call<T = Record<string, unknown>>(call: ApiCall): Promise<ApiAnswer<T>>;
  /** A request whose answer is read as it comes. */
  open(call: ApiCall): Promise<IncomingMessage>;
  /** Ends the store with SIGKILL and starts it again on the same data. */
  restartStore(): Promise<void>;
  stop(): Promise<void>;
}

const now = () => Date.now() / 1000;

/** Starts both. `extra` are more flags of the API server. */
export async function startApiFixture(extra: readonly string[] = []): Promise<ApiFixture> {
  const directory = temporaryDirectory();
  const storePort = await freePort();
  const storeOptions = { kind: 'etcd' as const, dataDir: `${directory}/data`, port: storePort };
  let store = await StoreProcess.start(storeOptions);
  const ca = await issue({ file: 'ca', commonName: 'test-ca' }, undefined, now());
  const serving = await issue(
    { file: 'apiserver', signer: 'ca', commonName: 'apiserver', server: true, addresses: ['127.0.0.1'] },
    ca,
    now(),
  );
  const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  });
  const files: Record<string, string> = {
    'ca.crt': ca.certificate,
    'tls.crt': serving.certificate,
    'tls.key': serving.key,
    'sa.key': String(signing),
    'tokens.csv': 'secret-token,alice,uid-1,"developers,testers"\n',
  };
  const values = parseFlags(flags, [
    `--etcd-servers=${store.url}`,
    '--bind-address=127.0.0.1',
    '--secure-port=0',
    '--tls-cert-file=tls.crt',
    '--tls-private-key-file=tls.key',
    '--client-ca-file=ca.crt',
    '--token-auth-file=tokens.csv',
    '--service-account-signing-key-file=sa.key',
    ...(extra.some((flag) => flag.startsWith('--disable-admission-plugins'))
      ? []
      : ['--disable-admission-plugins=ServiceAccount']),
    ...extra,
  ]);
  const stopping = new AbortController();
  let stopped: Promise<void> = Promise.resolve();
  const port = await new Promise<number>((resolve, reject) => {
    stopped = startApiServer(values, {
      log: pino({ level: 'silent' }),
      signal: stopping.signal,
      read: (path) => Buffer.from(files[path]!),
      listening: resolve,
    });
    stopped.catch(reject);
  });

  const agents = new Map<string, Promise<Agent>>();
  const agentOf = async (as: string | null): Promise<Agent> => {
    if (as === null) return new Agent({ ca: ca.certificate, keepAlive: true });
    // `name` or `name:organization`
    const at = as.lastIndexOf('@');
    const pair = await issue(
      {
        file: 'client',
        signer: 'ca',
        commonName: at < 0 ? as : as.slice(0, at),
        ...(at >= 0 && { organization: as.slice(at + 1) }),
        client: true,
      },
      ca,
      now(),
    );
    return new Agent({
      ca: ca.certificate,
      cert: pair.certificate,
      key: pair.key,
      keepAlive: true,
      maxSockets: 64,
    });
  };
  const open = async ({
    method = 'GET',
    path,
    body,
    contentType,
    headers,
    as = 'admin@system:masters',
  }: ApiCall) => {
    const name = String(as);
    let agent = agents.get(name);
    if (!agent) {
      agent = agentOf(as);
      agents.set(name, agent);
    }
    const text =
      body === undefined
        ? undefined
        : typeof body === 'string' || Buffer.isBuffer(body)
          ? body
          : JSON.stringify(body);
    const connected = await agent;
    return new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = httpsRequest({
        host: '127.0.0.1',
        port,
        path,
        method,
        agent: connected,
        headers: {
          ...(text !== undefined && {
            'content-type': contentType ?? 'application/json',
            'content-length': String(Buffer.byteLength(text)),
          }),
          ...headers,
        },
      });
      outgoing.once('response', resolve);
      outgoing.once('error', reject);
      outgoing.end(text);
    });
  };
  const fixture: ApiFixture = {
    port,
    storeURL: store.url,
    store,
    open,
    async call<T>(call: ApiCall): Promise<ApiAnswer<T>> {
      const response = await open(call);
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      const text = Buffer.concat(chunks).toString();
      const json =
        /json/.test(response.headers['content-type'] ?? '') && !response.headers['content-encoding'];
      return {
        code: response.statusCode ?? 0,
        headers: response.headers,
        text,
        body: (json && text ? JSON.parse(text) : undefined) as T,
      };
    },
    async restartStore() {
      await store.stop('SIGKILL');
      store = await StoreProcess.start(storeOptions);
      fixture.store = store;
    },
    async stop() {
      stopping.abort();
      await stopped;
      for (const agent of agents.values()) (await agent).destroy();
      await store.stop('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
  // Until the system's namespaces are there.
  for (let attempt = 0; attempt < 200; attempt++) {
    if ((await fixture.call({ path: '/readyz' })).text === 'ok') return fixture;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the API server did not become ready');
}
