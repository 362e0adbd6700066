import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultPorts } from '../../deploy/config.ts';
import { clientTool, type KubectlVersion } from '../../deploy/kubectl-binary.ts';
import { pathsOf, repository } from '../../deploy/paths.ts';
import { readPidFile } from '../../deploy/processes.ts';
import { type ProgramResult, type RunningProgram, runProgram, startProgram } from './program.ts';

export interface ClusterOptions {
  /** Suites that may run at the same time have different numbers, 0 to 9: ports and networks come from it. */
  slot: number;
  /** More flags of `nkube up`. */
  flags?: string[];
}

/** A whole cluster on this machine, beside any other, made and removed by `nkube`. */
export interface TestCluster {
  readonly name: string;
  readonly dataDir: string;
  readonly nodePorts: { first: number; last: number };
  readonly upFlags: string[];
  /** Runs `nkube` for this cluster. */
  nkube(args: string[], seconds?: number): Promise<ProgramResult>;
  /** Runs kubectl; its output, or a failure with all that it printed. */
  kubectl(args: string[], options?: KubectlOptions): Promise<string>;
  /** Runs kubectl and tells how it ended, whatever that is. */
  tryKubectl(args: string[], options?: KubectlOptions): Promise<ProgramResult>;
  startKubectl(args: string[], options?: KubectlOptions): Promise<RunningProgram>;
  /** Environment for other clients. */
  environment: Record<string, string>;
  pidOf(process: string): number | undefined;
  /** Removes everything, the data directory included. */
  remove(): Promise<void>;
}

export interface KubectlOptions {
  version?: KubectlVersion;
  input?: string;
  seconds?: number;
}

const cli = join(repository, 'deploy', 'cli.ts');

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** A `--port-offset` at which nobody listens, outside of node ports and of ports that connections are given. */
async function freePortOffset(slot: number): Promise<number> {
  for (let offset = 11_000 + slot * 100; offset < 17_000; offset += 1_000) {
    const free = await Promise.all(Object.values(defaultPorts).map((port) => isFree(port + offset)));
    if (free.every(Boolean)) return offset;
  }
  throw new Error('no free range of ports for a test cluster');
}

/** Describes a cluster without starting it. */
export async function describeCluster({ slot, flags = [] }: ClusterOptions): Promise<TestCluster> {
  const name = `nkube-e2e-${slot}`;
  // `nkube test` takes down what a run that is cut off leaves in its directory.
  const dataDir = mkdtempSync(join(process.env.NEKALAKUBE_TEST_DIR ?? tmpdir(), `${name}-`));
  const nodePorts = { first: 28_000 + slot * 100, last: 28_099 + slot * 100 };
  const upFlags = [
    ['--cluster-name', name],
    ['--bridge-name', `nkt${slot}`],
    ['--port-offset', String(await freePortOffset(slot))],
    ['--cluster-cidr', `10.${210 + slot}.0.0/16`],
    ['--service-cidr', `10.${230 + slot}.0.0/16`],
    ['--service-node-port-range', `${nodePorts.first}-${nodePorts.last}`],
    flags,
  ].flat();
  const paths = pathsOf(dataDir);
  const environment = {
    KUBECONFIG: paths.kubeconfig('admin'),
    KUBECACHEDIR: join(dataDir, 'cache', 'kubectl'),
  };
  const nkube = (args: string[], seconds = 180) =>
    runProgram(process.execPath, ['--disable-warning=ExperimentalWarning', cli, ...args], {
      environment: { NEKALAKUBE_DATA_DIR: dataDir },
      seconds,
    });
  const tryKubectl = async (args: string[], options: KubectlOptions = {}) =>
    runProgram(await clientTool('kubectl', options.version ?? '1.35'), args, { environment, ...options });
  return {
    name,
    dataDir,
    nodePorts,
    upFlags,
    environment,
    nkube,
    tryKubectl,
    async kubectl(args, options) {
      const result = await tryKubectl(args, options);
      if (result.code !== 0)
        throw new Error(
          `kubectl ${args.join(' ')}: exit code ${result.code}\n${result.stdout}${result.stderr}`,
        );
      return result.stdout;
    },
    async startKubectl(args, options = {}) {
      return startProgram(await clientTool('kubectl', options.version ?? '1.35'), args, { environment });
    },
    pidOf: (process) => readPidFile(paths.pidFile(process))?.pid,
    async remove() {
      const result = await nkube(['down', '--purge', '--cluster-name', name]);
      if (result.code !== 0) throw new Error(`nkube down --purge: ${result.stdout}${result.stderr}`);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Starts a cluster and waits until it is ready. */
export async function startCluster(options: ClusterOptions): Promise<TestCluster> {
  const cluster = await describeCluster(options);
  const result = await cluster.nkube(['up', ...cluster.upFlags]);
  if (result.code !== 0) {
    await cluster.remove();
    throw new Error(`nkube up: exit code ${result.code}\n${result.stdout}${result.stderr}`);
  }
  return cluster;
}
