import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient } from '../../client/api-client.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { componentSpecs, type ProcessName } from '../../deploy/components.ts';
import { type ClusterConfig, completeConfig, type Ports } from '../../deploy/config.ts';
import { type Paths, pathsOf, repository } from '../../deploy/paths.ts';
import { ensurePki } from '../../deploy/pki/ensure.ts';
import { defaultNodeIP } from '../../deploy/saved-config.ts';
import { freePort } from './free-port.ts';
import { waitUntil } from './wait-until.ts';

/** Processes of a cluster without a node: real store, real API server, and what else a test asks for. */
export interface ControlPlane {
  config: ClusterConfig;
  paths: Paths;
  /** Kubeconfig of the administrator. */
  kubeconfig: string;
  /** A client with the identity of `admin`, `scheduler`, `kubelet`, … */
  client(identity?: string): Promise<ApiClient>;
  /** Starts a process, or starts it again after `kill`. */
  start(name: ProcessName): void;
  /** Ends a process and resolves when it is gone. */
  kill(name: ProcessName, signal?: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts store and API server in `directory` and resolves when `/readyz` answers. The caller stops it.
 * Logs are in `<directory>/log`.
 */
export async function startControlPlane(
  directory: string,
  options: { also?: ProcessName[]; config?: Partial<ClusterConfig> } = {},
): Promise<ControlPlane> {
  const names = Object.keys({
    apiserver: 0,
    store: 0,
    storeMetrics: 0,
    kubelet: 0,
    kubeletHealth: 0,
    scheduler: 0,
    controllerManager: 0,
    proxyHealth: 0,
    proxyMetrics: 0,
  } satisfies Record<keyof Ports, number>) as (keyof Ports)[];
  const ports = await Promise.all(names.map(freePort));
  const config: ClusterConfig = {
    ...completeConfig({}, undefined, { hostname: 'node-1', nodeIP: defaultNodeIP() }),
    serviceNodePortRange: '20000-20999',
    ...options.config,
    ports: Object.fromEntries(names.map((name, i) => [name, ports[i]])) as unknown as Ports,
  };
  const paths = pathsOf(directory);
  await ensurePki(config, paths);
  const specs = componentSpecs({ config, paths, node: process.execPath, repository });
  const running = new Map<ProcessName, ChildProcess>();
  const clients: ApiClient[] = [];

  const start = (name: ProcessName) => {
    const spec = specs.find((item) => item.name === name);
    if (!spec) throw new Error(`no process named ${name}`);
    const log = openSync(join(paths.root, `${name}.log`), 'a');
    const child = spawn(spec.command[0]!, spec.command.slice(1), {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...spec.environment },
    });
    closeSync(log);
    running.set(name, child);
  };
  const kill = async (name: ProcessName, signal: NodeJS.Signals = 'SIGTERM') => {
    const child = running.get(name);
    running.delete(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  // A test that is cut off must leave no process behind either.
  const killAll = () => {
    for (const child of running.values()) child.kill('SIGKILL');
  };
  const cutOff = () => {
    killAll();
    process.exit(143);
  };
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  process.once('exit', killAll);
  for (const signal of signals) process.once(signal, cutOff);
  const client = async (identity = 'admin') => {
    const made = new ApiClient({
      config: await loadKubeconfig(paths.kubeconfig(identity)),
      userAgent: 'test',
    });
    clients.push(made);
    return made;
  };
  const stop = async () => {
    process.off('exit', killAll);
    for (const signal of signals) process.off(signal, cutOff);
    for (const made of clients) made.close();
    await Promise.all([...running.keys()].filter((name) => name !== 'store').map((name) => kill(name)));
    await kill('store');
  };

  for (const name of ['store', 'apiserver', ...(options.also ?? [])] as ProcessName[]) start(name);
  try {
    const admin = await client();
    await waitUntil(
      'the API server is ready',
      async () => (await admin.text({ method: 'GET', path: '/readyz' })) === 'ok',
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { config, paths, kubeconfig: paths.kubeconfig('admin'), client, start, kill, stop };
}
