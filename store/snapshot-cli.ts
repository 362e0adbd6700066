// Saves, examines and restores snapshots: snapshot-cli.ts save|status|restore FILE [flags]
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type FlagDeclarations, FlagError, flagHelp, parseFlags } from '../api/flags.ts';
import { snapshotStatus } from './snapshot/file.ts';
import { restoreSnapshot } from './snapshot/restore.ts';
import { saveSnapshot } from './snapshot/save.ts';

const saveFlags = {
  endpoints: {
    type: 'string',
    default: 'http://127.0.0.1:2379',
    help: 'URL of the store or etcd to save from',
  },
  cacert: { type: 'string', default: '', help: 'CA of the server, PEM' },
  cert: { type: 'string', default: '', help: 'client certificate, PEM' },
  key: { type: 'string', default: '', help: 'key of the client certificate, PEM' },
} as const satisfies FlagDeclarations;

const restoreFlags = {
  'data-dir': { type: 'string', required: true, help: 'directory to restore into' },
  replace: { type: 'boolean', default: false, help: 'put data that are there aside, beside the directory' },
  'skip-hash-check': {
    type: 'boolean',
    default: false,
    help: "accept a file without a hash, copied from an etcd's data directory",
  },
  'bump-revision': {
    type: 'number',
    default: 0,
    help: 'how much to add to the revision, so that clients notice that it went back; needs --mark-compacted',
  },
  'mark-compacted': {
    type: 'boolean',
    default: false,
    help: 'let the revision after --bump-revision count as compacted, so that watches from before end',
  },
} as const satisfies FlagDeclarations;

const usage = 'store snapshot save|status|restore FILE';

async function save(path: string, argv: readonly string[]): Promise<void> {
  const { endpoints, cacert, cert, key } = parseFlags(saveFlags, argv);
  await saveSnapshot(path, { endpoint: endpoints, cacert, cert, key });
  process.stdout.write(`Snapshot saved at ${path}\n`);
}

function status(path: string, argv: readonly string[]): void {
  parseFlags({}, argv);
  const { hash, revision, totalKey, totalSize } = snapshotStatus(path);
  const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
  process.stdout.write(
    `hash ${hash.toString(16)}, revision ${revision}, ${totalKey} keys, ${totalSize} bytes, sha256 ${sha256}\n`,
  );
}

async function restore(path: string, argv: readonly string[]): Promise<void> {
  const values = parseFlags(restoreFlags, argv);
  const bumpRevision = values['bump-revision'];
  if (!Number.isSafeInteger(bumpRevision) || bumpRevision < 0)
    throw new FlagError('--bump-revision: must be a whole number, 0 or greater');
  if (bumpRevision > 0 !== values['mark-compacted'])
    throw new FlagError('--bump-revision and --mark-compacted must be given together');
  const dataDir = values['data-dir'];
  const { revision, records, before } = await restoreSnapshot({
    path,
    dataDir,
    ...(values.replace && { replaceAt: new Date() }),
    skipHashCheck: values['skip-hash-check'],
    bumpRevision,
  });
  process.stdout.write(`Restored ${records} records into ${dataDir}, at revision ${revision}\n`);
  if (before) process.stdout.write(`The data of before are in ${before}: remove them when all is well\n`);
}

const commands: Record<string, (path: string, argv: readonly string[]) => void | Promise<void>> = {
  save,
  status,
  restore,
};

function help(): string {
  return [
    flagHelp('store snapshot save FILE', saveFlags),
    flagHelp('store snapshot restore FILE --data-dir DIR', restoreFlags),
    'Usage: store snapshot status FILE\n',
  ].join('\n');
}

async function run(argv: readonly string[]): Promise<void> {
  const [name, path, ...rest] = argv;
  if (!name || argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(help());
    return;
  }
  const command = commands[name];
  if (!command) throw new FlagError(`unknown command ${name}\nUsage: ${usage}`);
  if (!path || path.startsWith('-')) throw new FlagError(`${name}: a file is needed\nUsage: ${usage}`);
  await command(path, rest);
}

/** The system's own words for an errno, without the name of the call. */
function explain(error: unknown): string {
  const { code, path, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && path) return `${path}: no such file or directory`;
  return message || String(error);
}

run(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
});
