import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { pathsOf } from '../paths.ts';
import { type KubeconfigFile, mergeKubeconfig } from '../pki/kubeconfig.ts';
import { writeAtomically } from '../processes.ts';
import { requireConfig } from '../saved-config.ts';
import { UserError } from '../user-error.ts';

export interface KubeconfigOptions {
  dataDir: string;
  /** Print the file's path instead of its content. */
  path?: boolean;
  /** Put the cluster into the user's own kubeconfig. */
  merge?: boolean;
}

/** Prints the administrator's kubeconfig, or its path, or merges it into `$KUBECONFIG` or `~/.kube/config`. */
export async function kubeconfig(options: KubeconfigOptions): Promise<void> {
  const paths = pathsOf(options.dataDir);
  requireConfig(paths);
  const own = paths.kubeconfig('admin');
  if (options.path) {
    process.stdout.write(`${own}\n`);
    return;
  }
  const text = readFileSync(own, 'utf8');
  if (!options.merge) {
    process.stdout.write(text);
    return;
  }
  const target = process.env.KUBECONFIG?.split(':')[0] || join(homedir(), '.kube', 'config');
  const added = parse(text) as KubeconfigFile;
  let into: Partial<KubeconfigFile> | undefined;
  try {
    into = existsSync(target)
      ? ((parse(readFileSync(target, 'utf8')) as Partial<KubeconfigFile> | null) ?? undefined)
      : undefined;
  } catch (error) {
    throw new UserError(`${target}: ${(error as Error).message}`);
  }
  writeAtomically(target, stringify(mergeKubeconfig(into, added), { lineWidth: 0 }), 0o600);
  process.stdout.write(`${target}: context ${added['current-context']} is the current one.\n`);
}
