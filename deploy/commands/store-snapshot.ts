import { join } from 'node:path';
import { pathsOf, repository } from '../paths.ts';
import { requireConfig } from '../saved-config.ts';

/** The store's own snapshot tool, if this version has it. */
export const snapshotTool = join(repository, 'store', 'snapshot-cli.ts');

/** Becomes the store's snapshot tool, with the running store's address and certificates. Does not return. */
export async function storeSnapshot(options: { dataDir: string; args: string[] }): Promise<void> {
  const paths = pathsOf(options.dataDir);
  const config = requireConfig(paths);
  const pki = (name: string) => join(paths.pki, name);
  process.execve?.(
    process.execPath,
    [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      snapshotTool,
      ...options.args,
      `--endpoints=https://127.0.0.1:${config.ports.store}`,
      `--cacert=${pki('etcd/ca.crt')}`,
      `--cert=${pki('apiserver-etcd-client.crt')}`,
      `--key=${pki('apiserver-etcd-client.key')}`,
    ],
    process.env,
  );
}
