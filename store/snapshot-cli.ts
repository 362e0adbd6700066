import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { SnapshotRequest, SnapshotResponse } from '../api/etcd/messages.ts';
import { type FlagDeclarations, FlagError, flagHelp, parseFlags } from '../api/flags.ts';
import { GrpcClient } from './grpc/client.ts';
import { snapshotStatus, verifySnapshot } from './snapshot/file.ts';
import { restoreSnapshot } from './snapshot/restore.ts';

const flags = {
  endpoints: {
    type: 'string',
    default: 'http://127.0.0.1:2379',
    help: 'URL of the store or etcd to save from',
  },
  cacert: { type: 'string', default: '', help: 'CA of the server, PEM' },
  cert: { type: 'string', default: '', help: 'client certificate, PEM' },
  key: { type: 'string', default: '', help: 'key of the client certificate, PEM' },
  'data-dir': { type: 'string', default: '', help: 'directory to restore into; must not hold data' },
  'skip-hash-check': {
    type: 'boolean',
    default: false,
    help: "accept a file without a hash, copied from an etcd's data directory",
  },
} as const satisfies FlagDeclarations;

const usage = 'store snapshot save|status|restore FILE';

async function save(path: string, values: ReturnType<typeof readFlags>): Promise<void> {
  const file = (name: 'cacert' | 'cert' | 'key') => (values[name] ? readFileSync(values[name]) : undefined);
  const client = await GrpcClient.connect(values.endpoints, {
    ca: file('cacert'),
    cert: file('cert'),
    key: file('key'),
  });
  const partial = `${path}.part`;
  const fd = openSync(partial, 'w', 0o600);
  try {
    await new Promise<void>((resolve, reject) => {
      const stream = client.stream(
        '/etcdserverpb.Maintenance/Snapshot',
        { request: SnapshotRequest, response: SnapshotResponse },
        {
          onMessage: ({ blob }) => writeSync(fd, blob),
          onEnd: (error) => (error ? reject(error) : resolve()),
        },
      );
      stream.write({});
      stream.end();
    });
    fsyncSync(fd);
    closeSync(fd);
    verifySnapshot(partial);
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  } finally {
    client.close();
  }
  process.stdout.write(`Snapshot saved at ${path}\n`);
}

function status(path: string): void {
  const { hash, revision, totalKey, totalSize } = snapshotStatus(path);
  process.stdout.write(
    `hash ${hash.toString(16)}, revision ${revision}, ${totalKey} keys, ${totalSize} bytes, sha256 ${sha256(path)}\n`,
  );
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function readFlags(argv: readonly string[]) {
  return parseFlags(flags, argv);
}

async function run(argv: readonly string[]): Promise<void> {
  const [command, path, ...rest] = argv;
  if (!command || command === '--help' || argv.includes('--help')) {
    process.stdout.write(flagHelp(usage, flags));
    return;
  }
  if (!path || path.startsWith('-')) throw new FlagError(`${command}: a file is needed\nUsage: ${usage}`);
  const values = readFlags(rest);
  if (command === 'save') await save(path, values);
  else if (command === 'status') status(path);
  else if (command === 'restore') {
    if (!values['data-dir']) throw new FlagError('restore: --data-dir is needed');
    const { revision, keys } = await restoreSnapshot({
      path,
      dataDir: values['data-dir'],
      skipHashCheck: values['skip-hash-check'],
    });
    process.stdout.write(`Restored ${keys} records up to revision ${revision} into ${values['data-dir']}\n`);
  } else throw new FlagError(`unknown command ${command}\nUsage: ${usage}`);
}

run(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
