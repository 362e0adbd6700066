import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ApiClient } from '../../client/api-client.ts';
import {
  adminClient,
  apiserverComplaint,
  dnsComplaint,
  ensureAddons,
  markControlPlane,
  nodeComplaint,
} from '../cluster-client.ts';
import { liveProcesses, startSupervisor } from '../cluster-processes.ts';
import { componentSpecs, type ProcessName, type ProcessSpec } from '../components.ts';
import {
  type ClusterConfig,
  ConfigError,
  type ConfigRequest,
  completeConfig,
  configChanges,
} from '../config.ts';
import { acquireLock } from '../lock.ts';
import { defaultDataDir, type Paths, pathsOf, repository } from '../paths.ts';
import { writeAtomically } from '../processes.ts';
import { runSteps, type Step } from '../progress.ts';
import { defaultNodeIP, isOwnAddress, readConfig, writeConfig } from '../saved-config.ts';
import { UserError } from '../user-error.ts';
import { waitFor } from '../wait.ts';
import { refuseHalfRestore } from './store-snapshot.ts';

export interface UpOptions {
  dataDir: string;
  request: ConfigRequest;
  ignorePreflightErrors: string[];
  /** Shows steps and results; replaced by tests. */
  print?: (line: string) => void;
}

/** Longest that a cluster may take to become ready; seconds come from slow machines, not from waiting. */
const deadline = 120_000;

/** Starts the cluster of a data directory, or finds it running. Idempotent. */
export async function up(options: UpOptions): Promise<void> {
  const began = performance.now();
  const paths = pathsOf(options.dataDir);
  const print = options.print ?? ((line) => process.stdout.write(`${line}\n`));
  const lock = await acquireLock(`up:${paths.root}`);
  if (!lock) throw new UserError(`another nkube up or down works on ${paths.root}: wait until it is done`);
  try {
    refuseHalfRestore(paths);
    const saved = readConfig(paths);
    const config = configFor(options.request, saved);
    const live = liveProcesses(paths);
    const specs = componentSpecs({ config, paths, node: process.execPath, repository });
    const running = live.has('supervisor');
    if (saved) refuseChanges(saved, config, running);
    const wasUp = running && specs.every((spec) => live.has(spec.name));
    const steps = wasUp ? [] : startSteps({ options, paths, config, saved, specs, live: [...live.keys()] });
    const client: { current?: ApiClient } = {};
    await runSteps([...steps, ...waitSteps(config, paths, client)]);
    client.current?.close();
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    for (const line of closingWords(config, paths, wasUp ? 'was up already' : `is up after ${seconds} s`))
      print(line);
  } finally {
    await lock.release();
  }
}

function configFor(request: ConfigRequest, saved: ClusterConfig | undefined): ClusterConfig {
  // An address that the machine has lost, as DHCP may do, is chosen anew unless the user named it.
  const kept = saved && !request.nodeIP && !isOwnAddress(saved.nodeIP) ? { ...saved, nodeIP: '' } : saved;
  const machine = { hostname: hostname(), nodeIP: defaultNodeIP() };
  return completeConfig(
    request,
    kept && kept.nodeIP === '' ? { ...kept, nodeIP: machine.nodeIP ?? '127.0.0.1' } : kept,
    machine,
  );
}

function refuseChanges(saved: ClusterConfig, wanted: ClusterConfig, running: boolean): void {
  const { impossible, restart } = configChanges(saved, wanted);
  if (impossible.length)
    throw new ConfigError(
      `${impossible.join(', ')}: cannot be changed once the cluster exists; 'nkube down --purge' removes it with all its data`,
    );
  if (restart.length && running)
    throw new ConfigError(
      `${restart.join(', ')}: cannot be changed while the cluster runs; stop it first with 'nkube down'`,
    );
}

interface StartInputs {
  options: UpOptions;
  paths: Paths;
  config: ClusterConfig;
  saved: ClusterConfig | undefined;
  specs: ProcessSpec[];
  live: (ProcessName | 'supervisor')[];
}

function startSteps({ options, paths, config, saved, specs, live }: StartInputs): Step[] {
  const all = [...specs];
  return [
    {
      title: 'container engine',
      async run(say) {
        const { ensureEngine } = await import('../engine/ensure-engine.ts');
        const engine = await ensureEngine({ dockerHost: config.dockerHost, paths, say });
        if (engine) all.push(engine);
      },
    },
    {
      title: 'preflight checks',
      async run(say) {
        await preflight({ options, config, saved, specs, live }, say);
      },
    },
    {
      title: 'certificates and kubeconfigs',
      async run(say) {
        mkdirSync(paths.root, { recursive: true, mode: 0o755 });
        const { ensurePki } = await import('../pki/ensure.ts');
        const made = await ensurePki(config, paths);
        if (made.length) say(`made ${made.length} of them in ${paths.pki}`);
      },
    },
    {
      title: `processes: ${specs.map((spec) => spec.name).join(', ')}`,
      async run(say) {
        writeConfig(paths, config);
        writeAtomically(paths.processes, `${JSON.stringify(all, null, 2)}\n`, 0o600);
        const { startService } = await import('../systemd.ts');
        if (await startService(paths, config)) say('started as a systemd service, comes back after a reboot');
        else {
          startSupervisor(paths);
          if (!saved) say("no systemd here: run 'nkube up' again after a reboot");
        }
      },
    },
  ];
}

async function preflight(
  { options, config, saved, specs, live }: Omit<StartInputs, 'paths'>,
  say: (detail: string) => void,
): Promise<void> {
  const [{ gatherFacts }, { preflightProblems, preflightReport }] = await Promise.all([
    import('../preflight/facts.ts'),
    import('../preflight/checks.ts'),
  ]);
  const facts = await gatherFacts({
    config,
    dataDir: options.dataDir,
    ports: wantedPorts(config, specs, live),
    ownsRoutes: saved !== undefined,
  });
  const { warnings, fatal } = preflightReport(
    preflightProblems(facts, config),
    options.ignorePreflightErrors,
  );
  for (const warning of warnings) say(warning.trim());
  if (fatal) throw new UserError(fatal, 2);
}

/** Ports of the processes that are to be started: one that still runs holds its own rightly. */
function wantedPorts(config: ClusterConfig, specs: ProcessSpec[], live: readonly string[]): number[] {
  const { ports } = config;
  const byProcess: Record<string, number[]> = {
    store: [ports.store, ports.storeMetrics],
    apiserver: [ports.apiserver],
    scheduler: [ports.scheduler],
    'controller-manager': [ports.controllerManager],
    kubelet: [ports.kubelet, ports.kubeletHealth],
    proxy: [ports.proxyHealth, ports.proxyMetrics],
  };
  return specs.filter((spec) => !live.includes(spec.name)).flatMap((spec) => byProcess[spec.name] ?? []);
}

/** How long a complaint stands before the user is told what is waited for. */
const patience = 5_000;

function waitSteps(config: ClusterConfig, paths: Paths, shared: { current?: ApiClient }): Step[] {
  const clientOf = async (): Promise<ApiClient> => {
    shared.current ??= await adminClient(paths);
    return shared.current;
  };
  const wait = async (
    what: string,
    logs: ProcessName[],
    say: (detail: string) => void,
    condition: (client: ApiClient) => Promise<string | undefined>,
  ) => {
    let told = performance.now();
    const look = async () => {
      const complaint = await condition(await clientOf());
      if (complaint !== undefined && performance.now() - told > patience) {
        told = performance.now();
        say(`waiting: ${complaint}`);
      }
      return complaint;
    };
    await waitFor(look, { what, milliseconds: deadline }).catch((error: Error) => {
      throw new UserError([error.message, ...logs.map((name) => logEnd(paths, name))].join('\n'));
    });
  };
  const addons = (client: ApiClient) =>
    ensureAddons(client, config, paths).then(
      () => undefined,
      (error: Error) => error.message,
    );
  return [
    {
      title: 'API server answers',
      run: (say) => wait('API server ready', ['store', 'apiserver'], say, apiserverComplaint),
    },
    {
      title: `node ${config.nodeName} is Ready, cluster DNS answers`,
      async run(say) {
        const node = async () => {
          await wait('node Ready', ['kubelet', 'controller-manager'], say, (client) =>
            nodeComplaint(client, config),
          );
          await markControlPlane(await clientOf(), config.nodeName);
        };
        await Promise.all([
          wait('add-ons made', ['apiserver'], say, addons),
          node(),
          wait('cluster DNS answers', ['proxy'], say, () => dnsComplaint(config)),
        ]);
      },
    },
  ];
}

function logEnd(paths: Paths, name: ProcessName): string {
  const path = paths.log(name);
  if (!existsSync(path)) return `${path}: does not exist`;
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-5);
  return `${path} ends with:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

/** The option that later commands need to find this cluster. */
const whichCluster = (paths: Paths): string =>
  paths.root === (process.env.NEKALAKUBE_DATA_DIR ?? defaultDataDir) ? '' : `--data-dir ${paths.root} `;

function closingWords(config: ClusterConfig, paths: Paths, how: string): string[] {
  return [
    `Cluster ${config.clusterName} ${how}: node ${config.nodeName} is Ready, DNS answers at ${config.clusterDNS}.`,
    '',
    'Next:',
    `  ${process.env.NEKALAKUBE_CALLED_AS ?? './nkube'} ${whichCluster(paths)}kubectl get nodes`,
    `  export KUBECONFIG=${paths.kubeconfig('admin')}    # for your own kubectl and helm`,
  ];
}
