import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { liveProcesses } from '../cluster-processes.ts';
import { acquireLock } from '../lock.ts';
import { type Paths, pathsOf, repository } from '../paths.ts';
import { readConfig, requireConfig } from '../saved-config.ts';
import { UserError } from '../user-error.ts';

/** Flags of `save`; each that is absent is the cluster's own. */
export interface SaveFlags {
  endpoints?: string;
  cacert?: string;
  cert?: string;
  key?: string;
}

/**
 * How much later than the backup a restored cluster goes on. More than a cluster writes in the life of a backup,
 * so that nobody who saw it before the restore takes an old object for a new one: the amount that etcd recommends.
 * https://etcd.io/docs/v3.6/op-guide/recovery/#restoring-with-revision-bump
 */
const revisionBump = 1_000_000_000;

/** Saves the running cluster's objects. Returns the exit code. */
export async function snapshotSave(dataDir: string, file: string, given: SaveFlags): Promise<number> {
  const flags = { ...(await defaultSource(pathsOf(dataDir), given)), ...given };
  return snapshotTool([
    'save',
    resolve(file),
    ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
  ]);
}

/** Where a cluster keeps its objects, and how to get in. */
async function defaultSource(paths: Paths, given: SaveFlags): Promise<SaveFlags> {
  const config = given.endpoints === undefined ? requireConfig(paths) : readConfig(paths);
  if (!config) return {};
  if (config.etcd) {
    const { servers, caFile, certFile, keyFile } = config.etcd;
    return {
      endpoints: servers[0]!,
      ...(caFile && { cacert: caFile }),
      ...(certFile && { cert: certFile }),
      ...(keyFile && { key: keyFile }),
    };
  }
  if (given.endpoints === undefined && !liveProcesses(paths).has('store'))
    throw new UserError("the store does not run: start the cluster with 'nkube up'");
  return {
    endpoints: `https://127.0.0.1:${config.ports.store}`,
    cacert: join(paths.pki, 'etcd/ca.crt'),
    cert: join(paths.pki, 'apiserver-etcd-client.crt'),
    key: join(paths.pki, 'apiserver-etcd-client.key'),
  };
}

/** Tells what a file holds. Returns the exit code. */
export const snapshotStatus = (file: string): Promise<number> => snapshotTool(['status', resolve(file)]);

export interface RestoreFlags {
  replace?: boolean;
  skipHashCheck?: boolean;
}

/**
 * Puts a backup in the place of the objects of a cluster that is down, or where there is none yet. Returns the
 * exit code.
 * @throws {UserError} if the cluster runs or does not keep its objects in its own store
 */
export async function snapshotRestore(dataDir: string, file: string, flags: RestoreFlags): Promise<number> {
  const paths = pathsOf(dataDir);
  const lock = await acquireLock(`up:${paths.root}`);
  if (!lock) throw new UserError(`another nkube up or down works on ${paths.root}: wait until it is done`);
  try {
    const config = readConfig(paths);
    if (config?.etcd)
      throw new UserError(
        `the cluster keeps its objects in the etcd at ${config.etcd.servers.join(',')}: restore it there with etcdctl`,
      );
    const live = [...liveProcesses(paths).keys()].filter((name) => name !== 'dockerd');
    if (live.length) throw new UserError(`the cluster runs (${live.join(', ')}): stop it with 'nkube down'`);
    const code = await snapshotTool([
      'restore',
      resolve(file),
      `--data-dir=${paths.store}`,
      `--bump-revision=${revisionBump}`,
      '--mark-compacted',
      ...(flags.replace ? ['--replace'] : []),
      ...(flags.skipHashCheck ? ['--skip-hash-check'] : []),
    ]);
    if (code === 0) process.stdout.write("'nkube up' starts the cluster with the objects of the backup\n");
    return code;
  } finally {
    await lock.release();
  }
}

/** @throws {UserError} if a restore was cut off at the one moment in which there are no data in their place */
export function refuseHalfRestore(paths: Paths): void {
  const working = `${paths.store}.restoring`;
  if (existsSync(working) && !existsSync(paths.store))
    throw new UserError(
      `a restore was cut off: run 'nkube store snapshot restore' again, or remove ${working} to start without objects`,
    );
}

/** Runs the store's snapshot tool on this terminal. Returns its exit code. */
function snapshotTool(args: string[]): Promise<number> {
  const tool = join(repository, 'store', 'snapshot-cli.ts');
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', tool, ...args], {
      stdio: 'inherit',
    });
    child.once('error', fail);
    child.once('exit', (code) => done(code ?? 1));
  });
}
