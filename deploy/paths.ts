import { join, resolve } from 'node:path';

/** The clone that this program runs from. */
export const repository = resolve(import.meta.dirname, '..');

/** Default of `--data-dir`. */
export const defaultDataDir = '/var/lib/nekalakube';

/** Where one cluster keeps its files on this machine. */
export interface Paths {
  root: string;
  config: string;
  pki: string;
  /** A component's kubeconfig: `admin`, `kubelet`, … */
  kubeconfig(name: string): string;
  store: string;
  kubelet: string;
  run: string;
  /** What the supervisor keeps running. */
  processes: string;
  pidFile(name: string): string;
  logs: string;
  log(name: string): string;
  /** Of this clone, for all its clusters: what one has compiled the first `up` of the next need not. */
  compileCache: string;
  /** Notes of what `up` did to the machine, for `down` to undo. */
  machine: string;
}

export function pathsOf(dataDir: string): Paths {
  const root = resolve(dataDir);
  const run = join(root, 'run');
  const logs = join(root, 'log');
  return {
    root,
    config: join(root, 'config.yaml'),
    pki: join(root, 'pki'),
    kubeconfig: (name) => join(root, `${name}.conf`),
    store: join(root, 'store'),
    kubelet: join(root, 'kubelet'),
    run,
    processes: join(run, 'processes.json'),
    pidFile: (name) => join(run, `${name}.json`),
    logs,
    log: (name) => join(logs, `${name}.log`),
    compileCache: join(repository, '.cache', 'compile'),
    machine: join(root, 'machine.json'),
  };
}
