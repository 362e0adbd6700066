import { spawn } from 'node:child_process';
import {
  createWriteStream,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { aptInstall, ensureEngine } from '../engine/ensure-engine.ts';
import { pathsOf, repository } from '../paths.ts';
import { findProgram } from '../preflight/facts.ts';
import { readPidFile } from '../processes.ts';
import { endProcess } from '../supervised-process.ts';
import { addCounts, type Counts, summaryOf } from '../tap-summary.ts';
import { waitFor } from '../wait.ts';

/** Programs that tests run, and Debian's package of each. */
const testPackages: Record<string, string> = {
  dockerd: 'docker.io',
  iptables: 'iptables',
  ip: 'iproute2',
  busybox: 'busybox-static',
  etcd: 'etcd-server',
  etcdctl: 'etcd-client',
  'docker-registry': 'docker-registry',
  curl: 'curl',
  'mkfs.ext4': 'e2fsprogs',
  losetup: 'mount',
  ps: 'procps',
  script: 'bsdutils',
};

/** Repository prefix of the images that tests make. */
const testImages = 'nekalakube-test';

export interface TestOptions {
  /** Test files to run instead of all. */
  files: string[];
  /** Parts to run: lint, unit, e2e. */
  only?: string[];
}

const interruptions = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Output of the whole run, for looking at afterwards. */
const outputFolder = join(repository, '.cache', 'test');

const bin = dirname(process.execPath);

const tapProgram = join(repository, 'node_modules', '.bin', 'tap');

const say = (line: string) => process.stdout.write(`${line}\n`);

/**
 * Installs and starts what the tests need, runs them all, and takes away again what it started. The last
 * line says how many passed and failed. Returns the exit code.
 */
export async function test({ files, only }: TestOptions): Promise<number> {
  const wanted = (part: string) => (only ? only.includes(part) : files.length === 0 || part !== 'lint');
  mkdirSync(outputFolder, { recursive: true });
  let counts: Counts = { passed: 0, failed: 0 };
  const scratch = pathsOf(mkdtempSync(join(tmpdir(), 'nkube-test-')));
  const interruption = new Interruption();
  const tap = (part: string, list: string[], options: string[]) =>
    runTap({ part: files.length ? `${part}-some` : part, files: list, options, scratch: scratch.root });
  try {
    if (wanted('lint')) counts = addCounts(counts, await lint());
    if (wanted('unit') || wanted('e2e')) {
      await prepare(scratch.root);
      await buildRunner();
    }
    const all = files.length
      ? files
      : globSync('**/*.test.ts', { cwd: repository, exclude: ['node_modules', '.cache'] });
    const isEndToEnd = (file: string) => file.includes('test/e2e/');
    const unit = all.filter((file) => !isEndToEnd(file)).sort();
    const endToEnd = all.filter(isEndToEnd).sort();
    if (wanted('unit') && unit.length && !interruption.signal)
      counts = addCounts(counts, await tap('unit', unit, []));
    // Each starts clusters and measures time: one at a time.
    if (wanted('e2e') && endToEnd.length && !interruption.signal)
      counts = addCounts(counts, await tap('e2e', endToEnd, ['--jobs=1', '--timeout=1200']));
  } catch (error) {
    say(`not ok - ${(error as Error).message}`);
    counts = addCounts(counts, { passed: 0, failed: 1 });
  } finally {
    await removeTestClusters(scratch.root);
    if (findProgram('docker')) await removeTestImages();
    const engine = readPidFile(scratch.pidFile('dockerd'));
    if (engine) await endProcess(engine, 30_000);
    rmSync(scratch.root, { recursive: true, force: true });
  }
  interruption.end();
  if (interruption.signal) say(`interrupted by ${interruption.signal}`);
  say(`${counts.passed} passed, ${counts.failed} failed`);
  if (interruption.signal) return 128 + constants.signals[interruption.signal];
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

/**
 * The first signal ends what runs and leads to the cleaning up, which further ones of the same kind do not cut
 * short: a terminal sends them to all processes, and impatience leaves a cluster behind.
 */
class Interruption {
  signal: NodeJS.Signals | undefined;
  readonly #note = (signal: NodeJS.Signals) => {
    if (!this.signal) say(`${signal}: ending the tests and removing what they made`);
    this.signal ??= signal;
  };

  constructor() {
    for (const signal of interruptions) process.on(signal, this.#note);
  }

  end(): void {
    for (const signal of interruptions) process.off(signal, this.#note);
  }
}

/** Longest that a command of a test that was cut off, `up` at most, holds its cluster. */
const longestCommand = 150_000;

/** Removes clusters whose tests were cut off before they could. */
async function removeTestClusters(scratch: string): Promise<void> {
  for (const name of readdirSync(scratch).filter((entry) => entry.startsWith('nkube-e2e-'))) {
    const dataDir = join(scratch, name);
    const { down } = await import('./down.ts');
    const remove = () =>
      down({ dataDir, purge: true, clusterName: name.slice(0, name.lastIndexOf('-')) }).then(
        () => undefined,
        (error: Error) => error.message,
      );
    await waitFor(remove, { what: `${name} removed`, milliseconds: longestCommand, interval: 1_000 }).catch(
      (error: Error) => say(error.message),
    );
  }
}

/** Removes the images that tests make, all under one prefix; one that a container still uses stays. */
async function removeTestImages(): Promise<void> {
  const ids = new Set<string>();
  const filter = `reference=${testImages}/*`;
  await stream('docker', ['images', '--quiet', '--filter', filter], (line) => ids.add(line));
  if (ids.size) await stream('docker', ['rmi', ...ids], () => undefined);
}

async function prepare(scratch: string): Promise<void> {
  const missing = Object.keys(testPackages).filter((program) => !findProgram(program));
  if (missing.length)
    await aptInstall(
      missing.map((program) => testPackages[program]!),
      say,
    );
  await ensureEngine({ dockerHost: 'unix:///var/run/docker.sock', paths: pathsOf(scratch), say });
}

/**
 * Lets tap take up the plugins that .taprc names: a fresh install still has its default ones, among them a
 * TypeScript loader of its own.
 */
async function buildRunner(): Promise<void> {
  const built = join(outputFolder, 'runner-built');
  const installed = join(repository, 'node_modules', '.nkube-packages');
  if (modified(built) > modified(installed)) return;
  const lines: string[] = [];
  const code = await stream(tapProgram, ['build'], (line) => lines.push(line));
  if (code !== 0) throw new Error(`tap build failed: ${lines.join('\n')}`);
  writeFileSync(built, '');
}

const modified = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** Checks without running: each is one that passes or fails. */
async function lint(): Promise<Counts> {
  let counts: Counts = { passed: 0, failed: 0 };
  for (const [name, command] of [
    [
      'biome: format and lint',
      [join(repository, 'node_modules', '.bin', 'biome'), 'check', '--error-on-warnings', '.'],
    ],
    ['tsc: types', [join(repository, 'node_modules', '.bin', 'tsc'), '-p', '.']],
    ['imports between rooms', [process.execPath, join(repository, 'deploy', 'check-imports.ts')]],
  ] as const) {
    const lines: string[] = [];
    const code = await stream(command[0]!, command.slice(1), (line) => lines.push(line));
    say(`${code === 0 ? 'ok' : 'not ok'} - ${name}`);
    if (code !== 0) for (const line of lines) say(`    ${line}`);
    counts = addCounts(counts, code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 });
  }
  return counts;
}

/** Runs test files through tap; shows one line a file, and all that failed. */
async function runTap(run: {
  part: string;
  files: string[];
  options: string[];
  scratch: string;
}): Promise<Counts> {
  const { part, files, options, scratch } = run;
  const path = join(outputFolder, `${part}.tap`);
  say(`# ${part}: ${files.length} files, output in ${path}`);
  const record = createWriteStream(path);
  const summary = summaryOf();
  const code = await stream(
    tapProgram,
    ['run', '--reporter=tap', ...options, ...files],
    (line) => {
      record.write(`${line}\n`);
      summary.read(line);
      if (/^(not )?ok \d/.test(line) || summary.inFailure) say(line);
    },
    { NEKALAKUBE_TEST_DIR: scratch },
  );
  await new Promise((resolve) => record.end(resolve));
  return summary.counts(code);
}

/** Runs a program with the project's own Node first on PATH, line by line. Returns its exit code. */
function stream(
  program: string,
  args: readonly string[],
  line: (text: string) => void,
  environment: Record<string, string> = {},
): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: repository,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: {
        ...process.env,
        PATH: `${bin}:${process.env.PATH}`,
        NEKALAKUBE_DATA_DIR: undefined,
        ...environment,
      },
    });
    const readers = [child.stdout, child.stderr].map((input) => {
      const reader = createInterface({ input });
      reader.on('line', line);
      return new Promise((done) => reader.once('close', done));
    });
    // Interrupted: all that the program has started ends with it. It has a process group of its own, so that a
    // signal reaches each once, whether it came from a terminal or from `kill`.
    const forward = (signal: NodeJS.Signals) => {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid, signal);
    };
    for (const signal of interruptions) process.on(signal, forward);
    child.once('close', () => {
      for (const signal of interruptions) process.off(signal, forward);
    });
    child.once('error', (error) => {
      line(`${program}: ${error.message}`);
      resolve(127);
    });
    child.once('close', (code) => void Promise.all(readers).then(() => resolve(code ?? 1)));
  });
}
