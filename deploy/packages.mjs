// Brings the packages of package-lock.json. Plain JavaScript, because it runs on the system's Node, 18 or newer.
// Usage: node packages.mjs prod|dev
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const stamp = join(modules, '.nkube-packages');
const want = process.argv[2] === 'dev' ? 'dev' : 'prod';

/** @returns {never} */
function fail(message) {
  process.stderr.write(`nkube: ${message}\n`);
  process.exit(1);
}

function packagesOf(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** Whether npm would install a package with this `os` or `cpu` list here; entries with `!` exclude. */
function fits(given, value) {
  if (!given) return true;
  const list = [given].flat();
  if (list.includes(`!${value}`)) return false;
  return list.every((item) => item.startsWith('!')) || list.includes(value);
}

/** Whether node_modules already holds what the lock asks for, by npm's own record of what it installed. */
function installed(kind) {
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const have = packagesOf(join(modules, '.package-lock.json'));
  if (!wanted) fail(`cannot read ${join(root, 'package-lock.json')}`);
  if (!have) return false;
  return Object.entries(wanted).every(
    ([path, item]) =>
      path === '' ||
      item.link ||
      (kind === 'prod' && (item.dev || item.devOptional)) ||
      !fits(item.os, process.platform) ||
      !fits(item.cpu, process.arch) ||
      (item.optional && !have[path] && !path.includes('node-linux')) ||
      have[path]?.version === item.version,
  );
}

function mark(kind) {
  writeFileSync(stamp, `${kind}\n`);
  utimesSync(stamp, new Date(), new Date());
}

const major = Number(process.versions.node.split('.')[0]);
if (major < 18) fail(`needs Node.js 18 or newer to fetch its packages, found ${process.versions.node}`);
if (!['x64', 'arm64'].includes(process.arch)) fail(`no runtime for the processor ${process.arch}`);

if (installed('dev')) mark('dev');
else if (want === 'prod' && installed('prod')) mark('prod');
else {
  process.stderr.write(
    `nkube: fetching packages with npm${want === 'dev' ? ', those for tests included' : ''} ...\n`,
  );
  const lock = join(root, '.cache', 'packages.lock');
  mkdirSync(dirname(lock), { recursive: true });
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
  } catch {
    const owner = Number(readFileSync(lock, 'utf8'));
    let alive = true;
    try {
      process.kill(owner, 0);
    } catch (error) {
      alive = error.code === 'EPERM';
    }
    if (owner && alive) fail(`another nkube (pid ${owner}) is fetching packages: wait until it is done`);
    writeFileSync(lock, String(process.pid));
  }
  let result;
  try {
    result = spawnSync(
      'npm',
      // Not `npm ci`: that refuses a lock in which a registry lacks the optional package of some other platform,
      // and it would first take the packages away under a cluster that runs from this clone. This one, too,
      // installs exactly what the lock says, checks its digests, and leaves the lock as it is.
      [
        'install',
        '--no-save',
        '--no-audit',
        '--no-fund',
        '--loglevel=error',
        ...(want === 'prod' ? ['--omit=dev'] : ['--include=dev']),
        '--include=optional',
      ],
      { cwd: root, stdio: ['ignore', 2, 2] },
    );
  } finally {
    rmSync(lock, { force: true });
  }
  if (result.error) fail(`cannot run npm: ${result.error.message}`);
  if (result.status !== 0)
    fail(
      `npm could not fetch the packages (exit code ${result.status}): the reason is above. The npm registry must be reachable; behind a proxy set it with 'npm config set proxy URL'`,
    );
  mark(want);
}
