import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ProcessSpec } from '../components.ts';
import { openLog } from '../log-files.ts';
import type { Paths } from '../paths.ts';
import { findProgram } from '../preflight/facts.ts';
import { identify, readPidFile, writePidFile } from '../processes.ts';
import { run } from '../run.ts';
import { UserError } from '../user-error.ts';
import { waitFor } from '../wait.ts';
import { DockerApi } from './docker-api.ts';

const standardSocket = 'unix:///var/run/docker.sock';

/** Whether systemd is the service manager of this machine; see sd_booted(3). */
export const systemdRuns = (): boolean => existsSync('/run/systemd/system');

/** Programs that a node needs and the Debian package of each. */
const packages: Record<string, string> = { dockerd: 'docker.io', iptables: 'iptables', ip: 'iproute2' };

function isDebianLike(): boolean {
  try {
    const release = readFileSync('/etc/os-release', 'utf8');
    return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release);
  } catch {
    return false;
  }
}

/** Installs Debian packages. @throws {UserError} with apt-get's own words if that fails. */
export async function aptInstall(names: readonly string[], say: (detail: string) => void): Promise<void> {
  if (process.geteuid?.() !== 0 || !isDebianLike() || !findProgram('apt-get'))
    throw new UserError(
      `missing on this machine: ${names.join(', ')}. Install them with this system's package manager, or run nkube as root on Debian or Ubuntu`,
    );
  const environment = { DEBIAN_FRONTEND: 'noninteractive' };
  say(`apt-get install ${names.join(' ')}`);
  const install = () =>
    run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...names], { environment });
  // The package lists of a fresh machine are missing or old.
  const update = await run('apt-get', ['update', '-q'], { environment });
  const result = await install();
  if (result.code !== 0)
    throw new UserError(
      `apt-get could not install ${names.join(', ')}:\n${(update.code ? update.stderr : '') + result.stderr}`.trim(),
    );
}

const answers = async (dockerHost: string): Promise<boolean> =>
  new DockerApi(dockerHost).version().then(
    () => true,
    () => false,
  );

export interface EngineOptions {
  dockerHost: string;
  paths: Paths;
  say: (detail: string) => void;
}

/**
 * Makes the engine answer: installs what is missing on Debian and Ubuntu, starts it through systemd where that
 * runs, else by itself. An engine elsewhere than at the standard socket is its owner's business.
 * @returns the process to supervise if it was started here
 */
export async function ensureEngine({
  dockerHost,
  paths,
  say,
}: EngineOptions): Promise<ProcessSpec | undefined> {
  const supervised = dockerdSpec();
  const missing = Object.keys(packages).filter((program) => !findProgram(program));
  if (await answers(dockerHost)) {
    const rest = missing.filter((program) => program !== 'dockerd');
    if (rest.length)
      await aptInstall(
        rest.map((program) => packages[program]!),
        say,
      );
    return readPidFile(paths.pidFile('dockerd')) ? supervised : undefined;
  }
  if (dockerHost !== standardSocket) return undefined; // preflight says that it does not answer
  if (missing.length)
    await aptInstall(
      missing.map((program) => packages[program]!),
      say,
    );
  if (systemdRuns()) {
    const started = await run('systemctl', ['enable', '--now', 'docker.service']);
    if (started.code !== 0) throw new UserError(`systemctl could not start docker: ${started.stderr.trim()}`);
  } else if (!(await answers(dockerHost))) {
    say('starting dockerd: nothing else on this machine starts it');
    startDockerd(supervised, paths);
  }
  await waitFor(async () => ((await answers(dockerHost)) ? undefined : `see ${paths.log('dockerd')}`), {
    what: 'Docker Engine answers',
    milliseconds: 60_000,
  });
  return systemdRuns() ? undefined : supervised;
}

function dockerdSpec(): ProcessSpec {
  return {
    name: 'dockerd',
    command: [
      findProgram('dockerd') ?? 'dockerd',
      '--host',
      standardSocket,
      '--pidfile',
      '/var/run/docker.pid',
    ],
    environment: {},
    stopMilliseconds: 30_000,
  };
}

/** Starts the engine at once; the supervisor adopts it by its pid file. */
function startDockerd(spec: ProcessSpec, paths: Paths): void {
  mkdirSync(paths.run, { recursive: true, mode: 0o700 });
  mkdirSync(dirname(paths.log('dockerd')), { recursive: true });
  const log = openLog(paths.log('dockerd'));
  const [program, ...args] = spec.command as [string, ...string[]];
  const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log], cwd: '/' });
  closeSync(log);
  child.on('error', () => {}); // the wait for its answer reports it
  const identity = child.pid === undefined ? undefined : identify(child.pid);
  if (identity)
    writePidFile(paths.pidFile('dockerd'), {
      ...identity,
      command: spec.command,
      restarts: 0,
      startedAt: new Date().toISOString(),
    });
  child.unref();
}
